"""Every small change to a good token is refused, wherever it is made."""

from __future__ import annotations

import asyncio
import string
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist import Credential, Proven, Role
from cambist.compact import Compact, encode
from cambist.credential import NOTHING
from cambist.egress import Egress, EgressSettings
from cambist.errors import Fault, Refusal
from cambist.guard import Guard
from cambist.jwts import Jwts
from cambist.testing import Forge, MovableClock
from cambist.token_type import JWT
from cambist.validator import Seated, Takers
from cambist_jwt.settings import JwtSettings
from cambist_jwt.validator import JwtValidator

STS = "https://sts.example"
CLOCK = MovableClock()
ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "Ed25519"]
FORGES = {name: Forge(f"https://{name.lower()}.example", STS, CLOCK, algorithm=name) for name in ALGORITHMS}
GOOD = {
    name: forge.jwt(sub="workload-1", scope="read write", team={"name": "a", "list": [1, 2.5, None, True]})
    for name, forge in FORGES.items()
}


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


def guarded() -> Guard:
    entries = [{"issuer": forge.issuer, "jwks": forge.jwks, "algorithms": [name]} for name, forge in FORGES.items()]
    jwts = Jwts(Egress(EgressSettings(), httpx.MockTransport(nobody)), CLOCK)
    plugin = JwtValidator(JwtSettings.model_validate({"issuers": entries}), jwts)
    return Guard(takers={Role.SUBJECT: Takers.of([Seated("jwt", plugin)])}, audiences=frozenset({STS}), max_token=16_384, clock=CLOCK)


GUARD = guarded()


async def proved(token: str) -> Proven | None:
    """The proof, or None for a refusal; anything else that is raised fails the test."""
    try:
        return await GUARD.prove(Credential(token=token, token_type=JWT, role=Role.SUBJECT), NOTHING)
    except Refusal as refusal:
        if isinstance(refusal, Fault):
            raise
        return None


def accepted(token: str) -> bool:
    return asyncio.run(proved(token)) is not None


def changes(token: str, at: int, other: str) -> set[str]:
    """Flip, drop, insert, duplicate, swap, reverse, at one place."""
    before, here, after = token[:at], token[at], token[at + 1 :]
    return {
        before + other + after,
        before + after,
        before + other + here + after,
        before + here + here + after,
        before + after[:1] + here + after[1:],
        before + token[at:][::-1],
        before,
        token[at:],
        before + here.swapcase() + after,
        before + "=" + after,
        before + here + "\n" + after,
    } - {token}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_good_one_is_accepted(algorithm: str) -> None:
    assert accepted(GOOD[algorithm])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_small_change_at_every_place_is_refused(algorithm: str) -> None:
    token = GOOD[algorithm]
    alphabet = string.ascii_letters + string.digits + "-_"
    step = 1 if algorithm in ("ES256", "Ed25519") else 7
    for at in range(0, len(token), step):
        for changed in changes(token, at, alphabet[(at * 31 + 7) % 64]):
            assert await proved(changed) is None, (at, changed)


@given(st.sampled_from(ALGORITHMS), st.data())
@settings(max_examples=150, deadline=None)
def test_any_change_that_hypothesis_thinks_of_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = GOOD[algorithm]
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 8)))
    put = data.draw(st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.= \n\x00é"), max_size=8))
    changed = token[:start] + put + token[end:]
    assert accepted(changed) == (changed == token)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_bit_of_the_last_characters_counts(algorithm: str) -> None:
    """The unused bits of base64url are what gives one signature several spellings."""
    token = GOOD[algorithm]
    for other in string.ascii_letters + string.digits + "-_":
        changed = token[:-1] + other
        assert accepted(changed) == (changed == token)


@pytest.mark.parametrize("one", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_parts_of_two_good_tokens_make_no_third(one: str, other: str) -> None:
    first, second = GOOD[one].split("."), (GOOD[other] if one != other else FORGES[one].jwt()).split(".")
    for mixed in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)):
        parts = ".".join((first, second)[which][place] for place, which in enumerate(mixed))
        assert accepted(parts) == (parts in (GOOD[one], ".".join(second)))


MEMBERS = st.sampled_from(["alg", "kid", "typ", "iss", "sub", "aud", "exp", "iat", "nbf", "scope", "act", "cnf", "x"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["none", "HS256", STS, "JWT"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from(["header", "claims"]), MEMBERS, VALUES)
@settings(max_examples=200, deadline=None)
def test_a_rewritten_member_under_the_old_signature_is_refused(where: str, member: str, value: Any) -> None:
    head, body, signature = GOOD["ES256"].split(".")
    compact = Compact.parse(GOOD["ES256"])
    header, claims = dict(compact.header), dict(compact.claims)
    target = header if where == "header" else claims
    if target.get(member, ...) == value and type(target.get(member)) is type(value):
        return
    target[member] = value
    rewritten = f"{encode(msgspec.json.encode(header))}.{body}" if where == "header" else f"{head}.{encode(msgspec.json.encode(claims))}"
    assert not accepted(f"{rewritten}.{signature}")


@given(st.dictionaries(MEMBERS, VALUES, max_size=3), st.dictionaries(MEMBERS, VALUES, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_a_trusted_issuer_signs_is_a_sound_proof_or_a_refusal(header: dict[str, Any], claims: dict[str, Any]) -> None:
    proven = asyncio.run(proved(FORGES["ES256"].jwt(header, **{name: value for name, value in claims.items() if name != "header"})))
    if proven is not None:
        assert proven.identity.issuer == FORGES["ES256"].issuer
        assert proven.identity.subject
        assert proven.expires_at > CLOCK()
        assert proven.audience is not None
        assert STS in proven.audience
        assert proven.confirmation is None
        assert proven.chain == ()


@given(st.binary(max_size=200), st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_in_header_or_payload_are_more_than_a_refusal(header: bytes, payload: bytes) -> None:
    forge = FORGES["ES256"]
    assert not accepted(forge.signed({"alg": "ES256", "kid": "k1"}, payload))
    assert not accepted(f"{encode(header)}.{encode(payload)}.{GOOD['ES256'].rpartition('.')[2]}")
