"""Tokens of a zone, taken by that zone again: to narrow, never to widen or prolong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest

from cambist import Credential, CredentialMalformed, Expired, Identity, Rejected, Role, Unverified
from cambist.compact import Compact, encode
from cambist.egress import Egress, EgressSettings
from cambist.errors import AlgorithmRefused, IssuerNotTrusted, KeyUnknown, KindMismatch, Refusal, SignatureInvalid
from cambist.jwts import Jwts
from cambist.keys import EphemeralKeys
from cambist.own_token import OwnTokenValidator, PublishedKeys
from cambist.testing import ABSENT, Forge, MovableClock, Running, open_sts
from cambist.token_type import ACCESS_TOKEN, JWT
from cambist.zone import TOKEN_EXCHANGE, Zone

ISSUER, API = "https://sts.example", "https://api.example"
SUBJECT = "wimse://sts.example/issuer/a/subject/b"


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


HTTP = Egress(EgressSettings(), httpx.MockTransport(nobody))


class Bench:
    """Two zones with one issuer and keys of their own."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.keys = EphemeralKeys(self.clock)
        self.validator = OwnTokenValidator(Zone(id="default", issuer=ISSUER), self.keys, Jwts(HTTP, self.clock))

    async def token(self, zone: str = "default", header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        key, now = await self.keys.signing(zone), int(self.clock())
        head = _kept({"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **(header or {})})
        claims = _kept({"iss": ISSUER, "sub": SUBJECT, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": "j", **changes})
        signed = f"{encode(msgspec.json.encode(head))}.{encode(msgspec.json.encode(claims))}"
        return f"{signed}.{encode(await key.sign(signed.encode()))}"

    async def judge(self, token: str) -> Any:
        return await self.validator.validate(Credential(token=token, token_type=JWT, role=Role.SUBJECT))

    async def refused(self, token: str) -> Refusal:
        with pytest.raises(Refusal) as raised:
            await self.judge(token)
        return raised.value


class Publishing(EphemeralKeys):
    """A key store that publishes one given key."""

    def __init__(self, key: Mapping[str, Any]) -> None:
        self.key = key

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return (self.key,)


def _kept(members: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


async def test_identity_scope_chain_and_transaction_carry_over() -> None:
    bench = Bench()
    act = {"sub": "wimse://sts.example/application/c", "act": {"sub": "wimse://sts.example/application/d"}}
    proven = await bench.judge(await bench.token(scope="read write", txn="t", act=act))
    assert proven.identity == Identity(issuer=ISSUER, subject=SUBJECT)
    assert (proven.scope, proven.transaction, proven.expires_at) == ({"read", "write"}, "t", bench.clock() + 300)
    assert [party.subject for party in proven.chain] == [act["sub"], "wimse://sts.example/application/d"]
    assert {party.issuer for party in proven.chain} == {ISSUER}
    assert proven.audience == {ISSUER}
    assert proven.identity.attributes["txn"] == "t"  # a policy sees what the zone itself said


async def test_a_token_without_scope_has_none_to_give() -> None:
    bench = Bench()
    for scope in (ABSENT, ""):
        assert (await bench.judge(await bench.token(scope=scope))).scope == frozenset()


async def test_it_takes_both_names_of_its_own_issuer() -> None:
    bench = Bench()
    assert bench.validator.token_types == {JWT, ACCESS_TOKEN}
    assert bench.validator.issuers == {ISSUER}
    assert bench.validator.recognizes(Unverified(token_type=JWT, issuer=ISSUER))
    assert not bench.validator.recognizes(Unverified(token_type=JWT, issuer="https://other.example"))


async def test_keys_are_those_that_the_zone_publishes_at_this_moment() -> None:
    bench = Bench()
    token = await bench.token()
    await bench.keys.rotate("default")
    assert (await bench.judge(token)).token_id == "j"
    await bench.keys.rotate("default", compromised=True)
    assert isinstance(await bench.refused(token), KeyUnknown)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"])
async def test_whatever_a_key_store_may_sign_with_is_taken(algorithm: str) -> None:
    clock = MovableClock()
    forge = Forge(ISSUER, ISSUER, clock, algorithm="Ed25519" if algorithm == "EdDSA" else algorithm)
    judge = OwnTokenValidator(Zone(issuer=ISSUER), Publishing({**forge.jwks["keys"][0], "alg": algorithm}), Jwts(HTTP, clock))
    token = forge.jwt({"typ": "at+jwt", "alg": algorithm}, sub=SUBJECT)
    proven = await judge.validate(Credential(token=token, token_type=JWT, role=Role.SUBJECT))
    assert proven.identity == Identity(issuer=ISSUER, subject=SUBJECT)


async def test_published_keys_are_read_anew_only_when_they_are_others() -> None:
    keys = EphemeralKeys(MovableClock())
    published, kid = PublishedKeys(keys, "default"), (await keys.signing("default")).kid
    first = await published.find(kid, "ES256")
    assert await published.find(kid, "ES256") is first
    await keys.rotate("default")
    assert await published.find(kid, "ES256") is not first


async def test_a_token_of_another_zone_with_the_same_issuer_is_not_its_own() -> None:
    bench = Bench()
    assert isinstance(await bench.refused(await bench.token("other")), KeyUnknown)
    kid = (await bench.keys.signing("default")).kid
    assert isinstance(await bench.refused(await bench.token("other", {"kid": kid})), SignatureInvalid)


@pytest.mark.parametrize("typ", ["JWT", ABSENT, "wit+jwt", "dpop+jwt", "client-authentication+jwt"])
async def test_only_an_access_token_of_its_own_is_taken(typ: object) -> None:
    bench = Bench()
    assert type(await bench.refused(await bench.token(header={"typ": typ}))) is KindMismatch


async def test_whatever_is_wrong_with_it_is_wrong_with_it() -> None:
    bench = Bench()
    token = await bench.token()
    assert isinstance(await bench.refused(await bench.token(iss="https://other.example")), IssuerNotTrusted)
    assert isinstance(await bench.refused(await bench.token(header={"alg": "none"})), AlgorithmRefused)
    assert isinstance(await bench.refused(await bench.token(header={"alg": "HS256"})), AlgorithmRefused)
    assert isinstance(await bench.refused(await bench.token(scope=["read"])), CredentialMalformed)
    assert isinstance(await bench.refused(Forge(ISSUER, ISSUER, bench.clock).jwt({"typ": "at+jwt"})), KeyUnknown)
    bench.clock.move(300)
    assert isinstance(await bench.refused(token), Expired)


async def test_a_token_for_one_http_action_is_not_exchanged_for_more() -> None:
    bench = Bench()
    action = {"htm": "POST", "htu": API, "nonce": "n"}
    refusal = await bench.refused(await bench.token(exec=action))
    assert (type(refusal), refusal.said) == (Rejected, "a token with an execution scope is not exchanged")


async def test_a_bound_token_of_its_own_stays_bound() -> None:
    bench = Bench()
    assert (await bench.judge(await bench.token(cnf={"jkt": "thumb"}))).confirmation == "thumb"


# ── the whole service ───────────────────────────────────────────────────────────────────────────────────

SETTINGS: dict[str, Any] = {
    "authenticates": [JWT, ACCESS_TOKEN],
    "bootstrap": True,
    "resources": {"https://sts.example.test": {"scopes": ["read", "write"]}, API: {"scopes": ["read", "write"]}},
}


def claims(answer: httpx.Response) -> Mapping[str, Any]:
    assert answer.status_code == 200, answer.text
    return Compact.parse(answer.json()["access_token"]).claims


async def first(sts: Running, forge: Forge, **more: Any) -> httpx.Response:
    return await sts.form(subject_token=forge.jwt(), subject_token_type=JWT, **more)


async def test_a_token_is_exchanged_again_for_less_and_never_for_longer() -> None:
    clock = MovableClock()
    forge = Forge("https://issuer.example", "https://sts.example.test", clock)
    settings = {**SETTINGS, "plugins": {"jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}}}
    async with open_sts(settings, clock=clock) as sts:
        answer = await first(sts, forge, audience="https://sts.example.test", scope="read")
        own, start = answer.json()["access_token"], claims(answer)
        clock.move(100)
        for name in (JWT, ACCESS_TOKEN):
            again = claims(await sts.form(subject_token=own, subject_token_type=name, audience=API, scope="read write", ttl_seconds="900"))
            assert (again["sub"], again["txn"], again["scope"], again["exp"]) == (start["sub"], start["txn"], "read", start["exp"])
            assert again["jti"] != start["jti"]
        for_api = claims(await sts.json(subject_token=own, audience=API))
        assert "scope" not in for_api
        refused = await sts.form(subject_token=own, subject_token_type=JWT, audience=API, scope="write")
        assert (refused.status_code, refused.json()["error"], refused.json()["reason"]) == (400, "invalid_scope", "scope_denied")


async def test_a_token_for_a_resource_is_taken_from_its_owner_only() -> None:
    clock = MovableClock()
    forge = Forge("https://issuer.example", "https://sts.example.test", clock)
    owner, other = Forge("owner", "https://sts.example.test", clock), Forge("other", "https://sts.example.test", clock)
    settings = {
        **SETTINGS,
        "applications": {"owner": {"jwks": owner.jwks}, "other": {"jwks": other.jwks}},
        "resources": {API: {"owner": "owner"}},
        "plugins": {"jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}},
    }
    async with open_sts(settings, clock=clock) as sts:
        own = (await first(sts, forge, audience=API)).json()["access_token"]

        async def send(application: Forge) -> httpx.Response:
            assertion = application.jwt({"typ": "client-authentication+jwt"}, sub=application.issuer, exp=int(clock()) + 60)
            sent: dict[str, Any] = {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": own,
                "subject_token_type": ACCESS_TOKEN,
                "audience": "https://next.example",
                "client_assertion": assertion,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            }
            return await sts.form(**sent)

        assert claims(await send(owner))["client_id"] == "owner"
        refused = await send(other)
    assert (refused.status_code, refused.json()["reason"]) == (400, "audience_mismatch")
    assert refused.json()["details"]["seen"] == [API]
