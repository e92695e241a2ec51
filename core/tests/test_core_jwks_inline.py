"""Keys that stand in the settings: judged when a service opens, or where that was done already, when a credential first needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from cambist import Unavailable
from cambist.egress import Egress, EgressSettings
from cambist.errors import KeyUnknown, Refusal
from cambist.jwk import KeySet, undeclared
from cambist.jwks import InlineKeys
from cambist.jwts import Jwts
from cambist.testing import MovableClock

ISSUER = "https://issuer.example"
EC = ECKey.generate_key("P-256", {"kid": "a"}).as_dict(private=False)
OTHER = ECKey.generate_key("P-256", {"kid": "b"}).as_dict(private=False)
PRIVATE = ECKey.generate_key("P-256", {"kid": "p"}).as_dict(private=True)
RSA = RSAKey.generate_key(2048, {"kid": "r"}).as_dict(private=False)

UNSOUND: list[tuple[dict[str, Any], str]] = [
    ({"keys": [PRIVATE]}, "p: its private half is public, so it proves nothing"),
    ({"keys": [EC | {"use": "enc"}]}, "a: not for signatures"),
    ({"keys": [EC | {"x": EC["y"]}]}, "a: not a sound key"),
    ({"keys": [EC | {"x": "="}]}, "a: not a sound key"),
    ({"keys": [RSA | {"n": "AQAB"}]}, "r: not a sound key"),
    ({"keys": [EC | {"alg": "RS256"}]}, "a: its alg does not fit the key"),
    ({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}, "a: not an asymmetric key"),
    ({"keys": [EC | {"use": "enc"}, PRIVATE]}, "a: not for signatures; p: its private half is public, so it proves nothing"),
    ({"keys": []}, "there are none"),
    ({"keys": "x"}, "it is not a JWK set"),
    ({}, "it is not a JWK set"),
]


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


def jwts(*, tried: bool = False) -> Jwts:
    return Jwts(Egress(EgressSettings(), httpx.MockTransport(nobody)), MovableClock(), tried=tried)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The documents that were read as key sets since."""
    read, of = [], KeySet.of

    def told(document: object, *, rsa: str) -> KeySet:
        read.append(document)
        return of(document, rsa=rsa)

    monkeypatch.setattr(KeySet, "of", told)
    return read


@pytest.mark.parametrize(("document", "cause"), UNSOUND)
def test_what_cannot_be_used_is_told_when_a_service_opens(document: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unavailable) as refused:
        jwts().stated(ISSUER, InlineKeys(document))
    assert refused.value.facts == {"what": f"the keys of {ISSUER}", "cause": cause}


@pytest.mark.parametrize(("document", "cause"), UNSOUND)
async def test_what_cannot_be_used_proves_nothing_also_where_it_was_let_pass(document: dict[str, Any], cause: str) -> None:
    """A worker relies on the check for its words, never for its judgement."""
    keys = jwts(tried=True).stated(ISSUER, InlineKeys(document))
    for kid in ("a", "p", "r", "b", None):
        for algorithm in ("ES256", "RS256"):
            for _ in range(2):
                with pytest.raises((KeyUnknown, Unavailable)):
                    await keys.find(kid, algorithm)


async def test_keys_of_settings_that_were_tried_are_read_when_they_are_first_needed_and_once(readings: list[object]) -> None:
    document = {"keys": [EC, OTHER]}
    keys = jwts(tried=True).stated(ISSUER, InlineKeys(document))
    assert readings == []
    first = await keys.find("a", "ES256")
    assert await keys.find("a", "ES256") is first  # what it remembers of signatures is not forgotten
    assert (await keys.find("b", "ES256")).kid == "b"
    assert readings == [document]


async def test_keys_that_nobody_tried_are_judged_at_once_and_kept_from_when_they_are_needed(readings: list[object]) -> None:
    """Of thousands that are judged at a start, only those take memory that credentials name."""
    stated = InlineKeys({"keys": [EC]})
    keys = jwts().stated(ISSUER, stated)
    assert readings == [stated.document]
    first = await keys.find("a", "ES256")
    assert await keys.find("a", "ES256") is first
    assert readings == [stated.document] * 2


async def test_keys_that_are_needed_by_many_at_once_are_read_once(readings: list[object]) -> None:
    keys = jwts(tried=True).stated(ISSUER, InlineKeys({"keys": [EC, OTHER]}))
    found = await asyncio.gather(*(keys.find("a", "ES256") for _ in range(50)))
    assert {id(key) for key in found} == {id(found[0])}
    assert len(readings) == 1


def test_threads_that_need_them_at_once_find_the_same_key() -> None:
    for _ in range(20):
        keys = InlineKeys({"keys": [EC, OTHER]})
        with ThreadPoolExecutor(8) as pool:
            found = [each.result() for each in [pool.submit(asyncio.run, keys.find("a", "ES256")) for _ in range(16)]]
        assert {(key.id, key.key.thumbprint()) for key in found} == {("a", ECKey.import_key(EC).thumbprint())}


def test_what_is_not_of_the_settings_is_judged_at_once_whatever_was_tried() -> None:
    """Keys that a plugin has from elsewhere no check has seen."""
    with pytest.raises(Unavailable) as refused:
        jwts(tried=True).keys(ISSUER, jwks={"keys": [PRIVATE]})
    assert "private half" in str(refused.value.facts["cause"])


MEMBERS = st.sampled_from(["kty", "n", "e", "crv", "x", "y", "kid", "use", "key_ops", "alg", "d"])
JUNK = st.sampled_from([None, "", "a", "enc", "sig", "EC", "RSA", "oct", "P-384", "AQAB", EC["y"], "ES256", "PS256", 5, ["verify"], []])
ENTRIES = st.builds(lambda good, junk: good | junk, st.sampled_from([EC, OTHER, RSA]), st.dictionaries(MEMBERS, JUNK, max_size=2))
DOCUMENTS = st.fixed_dictionaries({"keys": st.lists(ENTRIES | st.sampled_from([None, "x"]), max_size=4)}) | st.sampled_from(
    [{}, {"keys": None}]
)


async def outcome(find: Callable[[], Any]) -> object:
    try:
        key = await find()
    except Refusal as refusal:
        return type(refusal)
    return (key.id, key.algorithms, key.key.thumbprint())


def judged(document: object, allowed: tuple[str, ...], kid: object, algorithm: str) -> object:
    """What comes of a key set that is read and asked in one go."""
    try:
        key = KeySet.of(document, rsa=undeclared(allowed)).find(kid, algorithm)
    except Refusal as refusal:
        return type(refusal)
    return (key.id, key.algorithms, key.key.thumbprint())


@given(DOCUMENTS, st.sampled_from([("ES256", "RS256"), ("PS256",), ()]))
async def test_keys_that_are_read_late_are_judged_as_those_that_are_read_at_once(document: Any, allowed: tuple[str, ...]) -> None:
    late = jwts(tried=True).stated(ISSUER, InlineKeys(document, allowed))
    try:
        early: Any = jwts().stated(ISSUER, InlineKeys(document, allowed))
    except Unavailable:
        early = None
    usable = False
    for kid in ("a", "b", "r", None):
        for algorithm in ("ES256", "RS256", "PS256"):
            wanted = judged(document, allowed, kid, algorithm)
            usable |= isinstance(wanted, tuple)
            for keys in (late, early) if early else (late,):
                assert await outcome(lambda: keys.find(kid, algorithm)) == wanted  # noqa: B023 - called at once
    assert not (usable and early is None)  # what is not told at the start is no worse than that


def test_keys_do_not_show_themselves() -> None:
    assert repr(InlineKeys({"keys": [PRIVATE]}, ("ES256",))) == "InlineKeys(algorithms=('ES256',))"
