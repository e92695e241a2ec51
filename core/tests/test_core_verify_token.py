"""Which tokens are good at an API, and what it is told of the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist.testing import ABSENT, AccessTokenForge, DeafHttp, Forge, MovableClock, ScriptedHttp, small_changes
from cambist.verify import KeysUnavailable, TokenRefused, Verifier
from cambist.verify.refused import REASONS
from cambist.verify.verifier import ALGORITHMS, MAX_TOKEN

ISSUER, API = "https://sts.example.test", "https://api.example.test"
CORPUS = Path(os.environ.get("CAMBIST_CORPORA") or Path(__file__).parents[3] / "shared" / "corpora") / "jose-attacks" / "cases.json"


class Sts(AccessTokenForge):
    """Signs as a zone of the service does."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        return super().claims(**{"zone_id": "default", "txn": "t-1", **changes})


CLOCK = MovableClock()
FORGES = {name: Sts(ISSUER, API, CLOCK, algorithm=name) for name in ALGORITHMS}


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Sts:
    return Sts(ISSUER, API, clock)


def verifier(forge: Forge, **more: Any) -> Verifier:
    http = httpx.AsyncClient(transport=ScriptedHttp({f"{ISSUER}/jwks": forge.jwks}))
    given = {"issuer": ISSUER, "audience": API, "jwks_url": f"{ISSUER}/jwks", "http": http, "clock": forge.clock}
    return Verifier(**{**given, **more})


async def refused(forge: Forge, token: str, **more: Any) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        await verifier(forge, **more).verify(token)
    return caught.value


async def test_a_good_token_says_who_it_is_for_whom_and_until_when(forge: Sts, clock: MovableClock) -> None:
    act = {"sub": "wimse://sts/agent-2", "act": {"sub": "wimse://sts/agent-1"}}
    found = await verifier(forge).verify(forge.jwt(sub="wimse://sts/ann", scope="read write", act=act, jti="j-1", team="blue"))
    assert (found.issuer, found.zone, found.subject, found.client_id) == (ISSUER, "default", "wimse://sts/ann", "client-1")
    assert found.actors == ("wimse://sts/agent-2", "wimse://sts/agent-1")
    assert (found.scope, found.audience) == (frozenset({"read", "write"}), frozenset({API}))
    assert (found.expires_at, found.token_id, found.claims["team"]) == (clock() + 600, "j-1", "blue")


async def test_neither_the_token_nor_its_claims_are_in_what_is_logged_of_it(forge: Sts) -> None:
    token = forge.jwt(email="ann@example.test")
    found = await verifier(forge).verify(token)
    assert "ann@example.test" not in repr(found)
    assert token not in repr(found)


async def test_what_was_verified_cannot_be_changed(forge: Sts) -> None:
    found = await verifier(forge).verify(forge.jwt())
    with pytest.raises(AttributeError):
        found.scope = frozenset({"admin"})  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm_of_the_service_is_verified(algorithm: str) -> None:
    forge = FORGES[algorithm]
    assert (await verifier(forge).verify(forge.jwt())).scope == {"read"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(data=st.data(), algorithm=st.sampled_from(["ES256", "EdDSA", "RS256"]))
async def test_every_small_change_to_a_good_token_is_refused(data: st.DataObject, algorithm: str) -> None:
    forge = FORGES[algorithm]
    token = data.draw(small_changes(forge.jwt()))
    if token.strip() != token and token.strip() == forge.jwt():
        return
    with pytest.raises(TokenRefused):
        await verifier(forge).verify(token)


def _wrong() -> dict[str, str]:
    forge = FORGES["ES256"]
    stranger = Sts(ISSUER, API, CLOCK)
    own_key = {"jwk": stranger.jwks["keys"][0]}
    return Forge.wrong(forge) | {"signed by a stranger": stranger.jwt(), "bringing a stranger's key": stranger.jwt(own_key)}


@pytest.mark.parametrize("rule", sorted(_wrong()))
async def test_a_token_that_breaks_one_rule_is_refused(rule: str) -> None:
    assert (await refused(FORGES["ES256"], _wrong()[rule])).status == 401


WRONG: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("issuer_not_trusted", {}, {"iss": f"{ISSUER}/"}),
    ("issuer_not_trusted", {}, {"iss": ISSUER.upper()}),
    ("credential_malformed", {}, {"sub": ABSENT}),
    ("audience_mismatch", {}, {"aud": f"{API}/"}),
    ("audience_mismatch", {}, {"aud": ["https://other.example.test", "https://third.example.test"]}),
    ("zone_mismatch", {}, {"zone_id": "other"}),
    ("zone_mismatch", {}, {"zone_id": "Default"}),
    ("claim_missing", {}, {"zone_id": ABSENT}),
    ("claim_missing", {}, {"jti": ABSENT}),
    ("claim_missing", {}, {"client_id": ""}),
    ("credential_malformed", {}, {"zone_id": ["default"]}),
    ("credential_malformed", {}, {"scope": ["read"]}),
    ("credential_malformed", {}, {"act": {"client_id": "nobody"}}),
    ("credential_malformed", {}, {"act": {"sub": "x", "iss": "https://elsewhere.example.test"}}),
    ("token_kind_mismatch", {"typ": "JWT"}, {}),
    ("token_kind_mismatch", {"typ": ABSENT}, {}),
    ("token_kind_mismatch", {"typ": "at+jwt+x"}, {}),
    ("key_unknown", {"kid": "k2"}, {}),
    ("algorithm_refused", {"alg": "none"}, {}),
    ("algorithm_refused", {"alg": "HS256"}, {}),
    ("algorithm_refused", {"alg": "ES512"}, {}),
    ("key_unknown", {"alg": "ES384"}, {}),
    ("possession_missing", {}, {"cnf": {"jkt": "0" * 43}}),
    ("possession_missing", {}, {"cnf": {}}),
    ("possession_missing", {}, {"cnf": None}),
    ("execution_scope_unchecked", {}, {"exec": {"htm": "GET", "htu": API, "nonce": "n"}}),
    ("execution_scope_unchecked", {}, {"exec": None}),
]


@pytest.mark.parametrize(("reason", "header", "claims"), WRONG)
async def test_each_mistake_has_its_reason(forge: Sts, reason: str, header: dict[str, Any], claims: dict[str, Any]) -> None:
    found = await refused(forge, forge.jwt(header, **claims))
    assert (found.reason, found.status, found.error) == (reason, 401, "invalid_token")
    assert found.hint


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_kind_is_compared_as_media_types_are(forge: Sts, typ: str) -> None:
    await verifier(forge).verify(forge.jwt({"typ": typ}))


async def test_leeway_is_for_tokens_that_are_new_never_for_those_that_have_ended(forge: Sts, clock: MovableClock) -> None:
    now = int(clock())
    good = verifier(forge)
    await good.verify(forge.jwt(iat=now + 59, nbf=now + 59))
    assert (await refused(forge, forge.jwt(nbf=now + 61))).reason == "credential_not_yet_valid"
    token = forge.jwt(exp=now + 1)
    await good.verify(token)
    clock.move(1)
    found = await refused(forge, token)
    assert found.reason == "credential_expired"
    assert str(found) == f"it expired 0 seconds ago: seen exp {now + 1} now {now + 1}"


async def test_one_audience_of_several_is_enough_on_either_side(forge: Sts) -> None:
    await verifier(forge).verify(forge.jwt(aud=["https://other.example.test", API]))
    await verifier(forge, audience=[API, "https://alias.example.test"]).verify(forge.jwt(aud="https://alias.example.test"))


async def test_another_zone_is_taken_by_who_names_it_and_by_nobody_else(forge: Sts) -> None:
    token = forge.jwt(zone_id="acme")
    assert (await verifier(forge, zone="acme").verify(token)).zone == "acme"
    assert (await refused(forge, token)).reason == "zone_mismatch"
    assert (await refused(forge, forge.jwt(), zone="acme")).reason == "zone_mismatch"


async def test_an_algorithm_that_is_not_listed_is_refused_though_the_key_has_it(forge: Sts) -> None:
    found = await refused(forge, forge.jwt(), algorithms=["RS256"])
    assert (found.reason, found.expected, found.seen) == ("algorithm_refused", ["RS256"], "ES256")


async def test_scopes_that_are_missing_are_named(forge: Sts) -> None:
    with pytest.raises(TokenRefused) as caught:
        await verifier(forge).verify(forge.jwt(scope="read"), scope={"read", "write"})
    assert (caught.value.reason, caught.value.status, caught.value.expected) == ("scope_insufficient", 403, ["write"])
    assert str(caught.value) == "The token does not allow this: expected write, seen read"


async def test_a_refusal_is_one_sentence_of_the_callers_own_token(forge: Sts) -> None:
    found = await refused(forge, forge.jwt(aud="https://other.example.test"))
    assert str(found) == f"The token is for somebody else: expected {API}, seen https://other.example.test"


async def test_what_a_stranger_wrote_does_not_come_back_at_any_length(forge: Sts) -> None:
    found = await refused(forge, forge.jwt(aud=["x" * 700] * 5))
    assert len(str(found)) < 3000


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "é.é.é", "a" * (MAX_TOKEN + 1), "\x00", "a.b.c.d.e", '{"payload":""}'])
async def test_what_is_no_token_is_refused_without_asking_anybody(forge: Sts, token: str) -> None:
    deaf = DeafHttp()
    with pytest.raises(TokenRefused):
        await verifier(forge, http=httpx.AsyncClient(transport=deaf)).verify(token)
    assert deaf.asked == []


@settings(deadline=None)
@given(token=st.text())
async def test_whatever_is_sent_it_is_refused_and_nothing_else_is_raised(token: str) -> None:
    with pytest.raises(TokenRefused):
        await verifier(FORGES["ES256"]).verify(token)


async def test_a_token_that_does_not_bring_a_known_issuer_asks_nobody(forge: Sts) -> None:
    deaf = DeafHttp()
    for token in (forge.jwt(iss="https://elsewhere.example.test"), forge.jwt({"alg": "none"}), forge.jwt({"typ": "JWT"})):
        with pytest.raises(TokenRefused):
            await verifier(forge, http=httpx.AsyncClient(transport=deaf)).verify(token)
    assert deaf.asked == []


async def test_a_token_that_cannot_be_judged_is_no_bad_token(forge: Sts) -> None:
    with pytest.raises(KeysUnavailable, match=f"the keys of {ISSUER} cannot be fetched"):
        await verifier(forge, http=httpx.AsyncClient(transport=DeafHttp())).verify(forge.jwt())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"issuer": "http://sts.example.test"}, "issuer: only https is called"),
        ({"issuer": "sts.example.test"}, "issuer:"),
        ({"jwks_url": "http://sts.example.test/jwks"}, "jwks_url: only https is called"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["ES256", "none"]}, "algorithms"),
        ({"algorithms": "ES256"}, "algorithms"),
    ],
)
def test_a_verifier_that_could_not_verify_is_not_made(forge: Sts, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        verifier(forge, **wrong)


@pytest.mark.skipif(not CORPUS.is_file(), reason="the corpora are not at hand")
async def test_no_attack_of_the_corpus_gets_through_whoever_signed_it() -> None:
    corpus: dict[str, Any] = json.loads(CORPUS.read_text("utf-8"))
    reasons = set()
    for issuer, entry in corpus["context"]["issuers"].items():
        http = httpx.AsyncClient(transport=ScriptedHttp({f"{ISSUER}/jwks": entry["jwks"]}))
        judge = Verifier(
            issuer=issuer, audience=corpus["context"]["audience"], jwks_url=f"{ISSUER}/jwks", http=http, clock=lambda: corpus["at"]
        )
        for case in corpus["cases"]:
            with pytest.raises(TokenRefused) as caught:
                await judge.verify(case["input"]["token"])
            reasons.add(caught.value.reason)
    assert {"token_kind_mismatch", "credential_malformed"} <= reasons <= REASONS.keys()
