"""Applications proved by a JWT of their own: for us alone, once, for five minutes, and nobody learns which of them there are."""

from __future__ import annotations

import math
from typing import Any

import httpx
import msgspec
import pytest

from cambist import (
    AudienceMismatch,
    Credential,
    CredentialMalformed,
    DidNotStart,
    Expired,
    Identity,
    NotYetValid,
    Rejected,
    Role,
    SignatureInvalid,
    Unavailable,
)
from cambist.client_assertion import JWT_BEARER, ClientAssertionValidator
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.errors import AlgorithmRefused, AudienceMissing, CallerUnproved, KeyUnknown, KindMismatch, Refusal
from cambist.jwts import Jwts
from cambist.testing import ABSENT, Forge, MovableClock, open_sts
from cambist.zone import CLIENT_CREDENTIALS, Application, Zone

ISSUER, ENDPOINT = "https://sts.example", "https://sts.example/oauth/2/token"
TYP = "client-authentication+jwt"


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


HTTP = Egress(EgressSettings(), httpx.MockTransport(nobody))


class Bench:
    """One application with a key, one that wants the token endpoint as audience, one with a secret only."""

    def __init__(self, algorithm: str = "ES256", **application: Any) -> None:
        self.clock = MovableClock()
        self.forge = Forge("app", ISSUER, self.clock, algorithm=algorithm)
        self.old = Forge("old", ENDPOINT, self.clock)
        applications = {
            "app": Application.model_validate({"jwks": self.forge.jwks, **application}),
            "old": Application.model_validate({"jwks": self.old.jwks, "assertion_audience": "token_endpoint"}),
            "secretive": Application.model_validate({"secret_hash": "x"}),
        }
        zone = Zone(issuer=ISSUER, applications=applications)
        self.validator = ClientAssertionValidator(zone, ENDPOINT, Jwts(HTTP, self.clock))

    def assertion(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(self.clock())
        return self.forge.jwt({"typ": TYP, **(header or {})}, **{"sub": "app", "exp": now + 60, **changes})

    async def judge(self, token: str) -> Any:
        return await self.validator.validate(Credential(token=token, token_type=JWT_BEARER, role=Role.CLIENT))

    async def refused(self, token: str) -> Refusal:
        with pytest.raises(Refusal) as raised:
            await self.judge(token)
        return raised.value


def test_it_takes_jwt_bearer_assertions_and_names_no_issuer() -> None:
    validator = Bench().validator
    assert (validator.token_types, validator.issuers) == (frozenset({JWT_BEARER}), None)
    assert JWT_BEARER == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
    assert validator.recognizes(Unverified(token_type=JWT_BEARER))


@pytest.mark.parametrize("typ", [TYP, TYP.upper(), f"application/{TYP}", "JWT", ABSENT])
@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
async def test_a_good_assertion_proves_the_application_once_and_bounds_nothing(algorithm: str, typ: object) -> None:
    bench = Bench(algorithm)
    proven = await bench.judge(bench.assertion({"typ": typ}, jti="id"))
    assert proven.identity == Identity(issuer=ISSUER, subject="app")
    assert (proven.expires_at, proven.audience, proven.scope, proven.token_id) == (math.inf, None, None, "id")
    assert proven.single_use_until == bench.clock() + 60 + 10  # as long as any leeway could accept it


@pytest.mark.parametrize("audience", [ISSUER, [ISSUER]])
async def test_the_audience_is_the_issuer_alone(audience: object) -> None:
    bench = Bench()
    assert (await bench.judge(bench.assertion(aud=audience))).identity.subject == "app"


@pytest.mark.parametrize(
    "audience",
    [
        ENDPOINT,
        f"{ISSUER}/",
        ISSUER.upper(),
        "https://sts.example:443",
        "https://other.example",
        [ISSUER, "https://other.example"],
        [ISSUER, ISSUER],
        "https://sts.example.evil.example",
        "*",
    ],
)
async def test_any_other_audience_is_refused_and_so_is_one_more(audience: object) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.assertion(aud=audience))
    assert (type(refusal), refusal.expected, refusal.seen) == (AudienceMismatch, ISSUER, audience)


async def test_an_assertion_for_nobody_is_told_whom_it_must_be_for() -> None:
    bench = Bench()
    refusal = await bench.refused(bench.assertion(aud=ABSENT))
    assert (type(refusal), refusal.expected) == (AudienceMissing, [ISSUER])


async def test_an_application_may_be_let_name_the_token_endpoint_in_its_place() -> None:
    bench = Bench()
    good: dict[str, Any] = {"sub": "old", "exp": int(bench.clock()) + 60}
    for audience in (ENDPOINT, [ENDPOINT]):
        assert (await bench.judge(bench.old.jwt(aud=audience, **good))).identity.subject == "old"
    for audience in (ISSUER, [ENDPOINT, ISSUER], f"{ENDPOINT}/"):
        assert isinstance(await bench.refused(bench.old.jwt(aud=audience, **good)), AudienceMismatch)


@pytest.mark.parametrize("subject", ["old", "App", "app ", "nobody"])
async def test_issuer_and_subject_are_the_application(subject: str) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.assertion(sub=subject))
    assert (type(refusal), refusal.said) == (CredentialMalformed, "iss and sub of a client assertion are the application's id")


@pytest.mark.parametrize("name", ["sub", "aud", "exp", "jti"])
async def test_every_claim_that_is_needed_is_needed(name: str) -> None:
    bench = Bench()
    values: list[Any] = [ABSENT, None, "", [], {}, True]
    for value in values:
        changes: dict[str, Any] = {name: value}
        assert isinstance(await bench.refused(bench.assertion(**changes)), CredentialMalformed), value


async def test_it_lives_five_minutes_at_most() -> None:
    bench = Bench()
    now = int(bench.clock())
    assert (await bench.judge(bench.assertion(exp=now + 300))).single_use_until == now + 310
    assert type(await bench.refused(bench.assertion(exp=now + 301))) is Rejected
    assert type(await bench.refused(bench.assertion(iat=now - 200, exp=now + 101))) is Rejected
    assert type(await bench.refused(bench.assertion(iat=ABSENT, exp=now + 301))) is Rejected


async def test_it_may_live_for_an_hour_where_its_application_says_so() -> None:
    """Authlib's assertions live for 3,600 seconds, and its `private_key_jwt` cannot be told otherwise."""
    bench = Bench(assertion_lifetime=3600)
    now = int(bench.clock())
    assert (await bench.judge(bench.assertion(exp=now + 3600))).single_use_until == now + 3610
    refusal = await bench.refused(bench.assertion(exp=now + 3601))
    assert (type(refusal), refusal.said) == (Rejected, "it lives for 3601 seconds, and 3600 are accepted from this issuer")


async def test_clocks_may_differ_by_ten_seconds_either_way() -> None:
    bench = Bench()
    now = int(bench.clock())
    accepted: list[dict[str, Any]] = [{"iat": now + 10}, {"nbf": now + 10}, {"iat": now - 100, "exp": now - 9}]
    for times in accepted:
        assert (await bench.judge(bench.assertion(**times))).identity.subject == "app"
    assert isinstance(await bench.refused(bench.assertion(iat=now + 11)), NotYetValid)
    assert isinstance(await bench.refused(bench.assertion(nbf=now + 11)), NotYetValid)
    assert isinstance(await bench.refused(bench.assertion(iat=now - 100, exp=now - 10)), Expired)


@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "wit+jwt", "txntoken+jwt", "authorization-grant+jwt", "logout+jwt", "", None])
async def test_a_token_of_another_kind_is_no_assertion(typ: object) -> None:
    bench = Bench()
    assert isinstance(await bench.refused(bench.assertion({"typ": typ})), KindMismatch)


async def test_an_algorithm_is_good_only_where_it_is_allowed() -> None:
    bench = Bench("RS256")
    refusal = await bench.refused(bench.assertion())
    assert (type(refusal), refusal.facts["cause"]) == (CallerUnproved, AlgorithmRefused.reason)
    assert (await (allowed := Bench("RS256", algorithms=["RS256"])).judge(allowed.assertion())).identity.subject == "app"
    loose = Bench(algorithms=["ES256", "HS256", "none"])
    for algorithm in ("HS256", "none"):
        assert isinstance(await loose.refused(loose.assertion({"alg": algorithm})), CallerUnproved)


async def test_a_scope_in_an_assertion_bounds_nothing() -> None:
    bench = Bench()
    assert (await bench.judge(bench.assertion(scope="read"))).scope is None


async def test_a_key_that_declares_no_algorithm_is_for_the_one_that_the_application_may_use() -> None:
    bench = Bench("PS256")
    undeclared = {"keys": [{name: value for name, value in bench.forge.jwks["keys"][0].items() if name != "alg"}]}
    zone = Zone(issuer=ISSUER, applications={"app": Application(jwks=undeclared, algorithms=("PS256",))})
    bench.validator = ClientAssertionValidator(zone, ENDPOINT, Jwts(HTTP, bench.clock))
    assert (await bench.judge(bench.assertion())).identity.subject == "app"


async def test_an_actor_or_a_binding_in_an_assertion_is_not_ignored() -> None:
    bench = Bench()
    assert type(await bench.refused(bench.assertion(act={"sub": "b"}))) is Rejected
    assert (await bench.judge(bench.assertion(cnf={"x5t#S256": "a"}))).confirmation == "unsupported"


# ── nobody learns which applications there are ──────────────────────────────────────────────────────────

NAMES = ["app", "old", "secretive", "nobody"]


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": ABSENT},
        {"kid": "other"},
        {"kid": 5},
        {"kid": ABSENT},
        {"typ": "at+jwt"},
        {"typ": None},
        {"crit": ["x"]},
        {"b64": False},
        {"alg": "none", "typ": "at+jwt"},
        {"alg": "none", "kid": 5},
        {"jwk": {}},
    ],
)
async def test_a_stranger_gets_the_same_answer_for_every_application_there_is_and_is_not(header: dict[str, Any]) -> None:
    bench = Bench()
    stranger = Forge("x", ISSUER, bench.clock)
    answers = [await bench.refused(stranger.jwt({"typ": TYP, **header}, iss=name, sub=name)) for name in NAMES]
    assert len({(type(each), each.said, repr(each.expected), repr(each.seen)) for each in answers}) == 1
    assert [each.facts["client_id"] for each in answers if isinstance(each, CallerUnproved)] in (NAMES, [])


async def test_the_ledger_has_the_cause_and_the_caller_has_not() -> None:
    bench = Bench()
    stranger = Forge("app", ISSUER, bench.clock)
    for token, cause in ((stranger.jwt(sub="app"), SignatureInvalid), (stranger.jwt({"kid": "k2"}, sub="app"), KeyUnknown)):
        refusal = await bench.refused(token)
        assert refusal.facts == {"client_id": "app", "cause": cause.reason}
        assert refusal.said == CallerUnproved.meaning()


@pytest.mark.parametrize("issuer", [ABSENT, None, 5, ["app"], "", "APP", "app ", ISSUER])
async def test_an_assertion_of_nobody_proves_nobody(issuer: object) -> None:
    bench = Bench()
    assert isinstance(await bench.refused(bench.assertion(iss=issuer)), CallerUnproved)


@pytest.mark.parametrize("token", ["", "a", "app:secret", "a.b.c.d.e", '{"payload":"e30"}'])
async def test_what_is_no_jwt_proves_nobody(token: str) -> None:
    assert isinstance(await Bench().refused(token), CallerUnproved)


async def test_an_assertion_that_is_read_two_ways_is_malformed() -> None:
    bench = Bench()
    claims = msgspec.json.encode(bench.forge.claims(sub="app"))
    twice = bench.forge.signed({"alg": "ES256", "kid": "k1"}, b'{"iss":"nobody",' + claims[1:])
    assert isinstance(await bench.refused(twice), CredentialMalformed)


@pytest.mark.parametrize("jwks", [{}, {"keys": 5}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AA"}]}])
def test_an_application_whose_keys_cannot_be_used_is_told_when_it_opens(jwks: dict[str, Any]) -> None:
    with pytest.raises(Unavailable) as refused:
        Bench(jwks=jwks)
    assert refused.value.facts["what"] == "the keys of app"


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_assertion_is_good_once_and_its_replay_is_told_as_one() -> None:
    clock = MovableClock()
    forge = Forge("app", "https://sts.example.test", clock)
    app = {"jwks": forge.jwks, "grants": [CLIENT_CREDENTIALS], "default_target": "https://api.example"}
    async with open_sts({"applications": {"app": app}}, clock=clock) as sts:

        async def send(token: str, **more: str) -> tuple[int, str]:
            sent: dict[str, Any] = {
                "grant_type": CLIENT_CREDENTIALS,
                "client_assertion_type": JWT_BEARER,
                "client_assertion": token,
                **more,
            }
            answer = await sts.form(**sent)
            return answer.status_code, answer.json().get("reason", "granted")

        def fresh(**changes: Any) -> str:
            return forge.jwt({"typ": TYP}, sub="app", exp=int(clock()) + 60, **changes)

        first = fresh(jti="one")
        assert await send(first) == (200, "granted")
        assert await send(first) == (401, "replayed")
        assert await send(fresh(jti="one", iat=int(clock()) - 1)) == (401, "replayed")  # signed anew, with the same id
        assert await send(fresh(jti="two"), client_id="app") == (200, "granted")
        assert await send(fresh(jti="three"), client_id="other") == (401, "client_mismatch")
        assert await send(fresh(jti="three"), scope="a") == (200, "granted")  # what was refused before it was spent is not spent
        clock.move(69)
        assert await send(first) == (401, "replayed")  # to the last second of the grace
        clock.move(1)
        assert await send(first) == (401, "credential_expired")


async def test_settings_with_keys_that_cannot_be_used_keep_it_shut() -> None:
    with pytest.raises(DidNotStart) as shut:
        async with open_sts({"applications": {"app": {"jwks": {"keys": "x"}}}}):
            pass
    assert "the keys of app" in str(shut.value)
    assert "it is not a JWK set" in str(shut.value)
