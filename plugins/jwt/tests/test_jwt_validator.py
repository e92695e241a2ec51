"""The jwt plugin judges a token by the entry of its issuer, and by nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from cambist import (
    AudienceMismatch,
    Credential,
    CredentialMalformed,
    Expired,
    NotYetValid,
    Proven,
    Rejected,
    Role,
    SignatureInvalid,
    Unverified,
)
from cambist.credential import NOTHING, Possession
from cambist.egress import Egress, EgressSettings
from cambist.errors import (
    AlgorithmRefused,
    AudienceMissing,
    CredentialTooLarge,
    IdentifierTooLong,
    IssuerNotTrusted,
    KeyUnknown,
    KindMismatch,
    PossessionMissing,
    Refusal,
    Unclaimed,
)
from cambist.guard import Guard
from cambist.identity import Identity
from cambist.jwts import Jwts
from cambist.testing import ABSENT, Forge, MovableClock
from cambist.token_type import JWT
from cambist.validator import Seated, Takers
from cambist_jwt.settings import JwtSettings
from cambist_jwt.validator import JwtValidator

STS, A, B = "https://sts.example", "https://a.example", "https://b.example"


class Bench:
    """Two trusted issuers, the plugin that trusts them, and the guard around it. Whoever calls out is caught."""

    def __init__(self, http: Egress, **entry: Any) -> None:
        self.clock = MovableClock()
        self.a = Forge(A, STS, self.clock)
        self.b = Forge(B, STS, self.clock, algorithm="RS256")
        entries = [{"issuer": A, "jwks": self.a.jwks, **entry}, {"issuer": B, "jwks": self.b.jwks, "algorithms": ["RS256"]}]
        self.plugin = JwtValidator(JwtSettings.model_validate({"issuers": entries}), Jwts(http, self.clock))
        takers = Takers.of([Seated("jwt", self.plugin)])
        self.guard = Guard(takers=dict.fromkeys(Role, takers), audiences=frozenset({STS}), max_token=16_384, clock=self.clock)

    async def prove(self, token: str, held: Possession = NOTHING) -> Proven:
        return await self.guard.prove(Credential(token=token, token_type=JWT, role=Role.SUBJECT), held)

    async def refused(self, token: str) -> Refusal:
        with pytest.raises(Refusal) as raised:
            await self.prove(token)
        return raised.value


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


@pytest.fixture
async def http() -> AsyncIterator[Egress]:
    async with Egress(EgressSettings(), httpx.MockTransport(nobody)) as egress:
        yield egress


@pytest.fixture
def bench(http: Egress) -> Bench:
    return Bench(http)


async def test_a_token_of_each_issuer_is_proved_with_that_issuers_key(bench: Bench) -> None:
    assert (await bench.prove(bench.a.jwt(sub="x"))).identity == Identity(issuer=A, subject="x")
    assert (await bench.prove(bench.b.jwt(sub="x"))).identity == Identity(issuer=B, subject="x")


def test_it_takes_jwts_of_the_issuers_that_are_listed(bench: Bench) -> None:
    assert bench.plugin.token_types == {JWT}
    assert bench.plugin.issuers == {A, B}
    assert bench.plugin.recognizes(Unverified(token_type=JWT, issuer=A))
    assert not bench.plugin.recognizes(Unverified(token_type=JWT, issuer=f"{A}/"))
    assert not bench.plugin.recognizes(Unverified(token_type=JWT))


async def test_by_itself_too_it_refuses_a_token_of_nobody(bench: Bench) -> None:
    for token, refusal in (
        (bench.a.jwt(iss=ABSENT), CredentialMalformed),
        (bench.a.jwt(iss="https://c.example"), IssuerNotTrusted),
        ("not a jwt", CredentialMalformed),
    ):
        with pytest.raises(refusal):
            await bench.plugin.validate(Credential(token=token, token_type=JWT, role=Role.SUBJECT))


async def test_a_key_of_one_issuer_proves_nothing_of_another_not_even_by_an_equal_kid(bench: Bench) -> None:
    assert type(await bench.refused(bench.b.jwt(iss=A))) is KeyUnknown
    stolen = Forge(B, STS, bench.clock)
    assert type(await bench.refused(stolen.jwt(iss=A))) is SignatureInvalid


@pytest.mark.parametrize(
    ("header", "changes", "refusal"),
    [
        ({"alg": "none"}, {}, AlgorithmRefused),
        ({"alg": "HS256"}, {}, AlgorithmRefused),
        ({"alg": "ES384"}, {}, AlgorithmRefused),
        ({"kid": "k2"}, {}, KeyUnknown),
        ({"typ": "dpop+jwt"}, {}, KindMismatch),
        ({"typ": "wit+jwt"}, {}, KindMismatch),
        ({"crit": ["exp"]}, {}, CredentialMalformed),
        ({"b64": False}, {}, CredentialMalformed),
        ({"zip": "DEF"}, {}, CredentialMalformed),
        ({}, {"iss": "https://c.example"}, IssuerNotTrusted),
        ({}, {"iss": f"{A}/"}, IssuerNotTrusted),
        ({}, {"iss": [A]}, Unclaimed),
        ({}, {"iss": ABSENT}, Unclaimed),
        ({}, {"aud": "https://api.example"}, AudienceMismatch),
        ({}, {"aud": f"{STS}/"}, AudienceMismatch),
        ({}, {"aud": [f"{STS}.evil.example", "*"]}, AudienceMismatch),
        ({}, {"aud": []}, AudienceMissing),
        ({}, {"aud": ABSENT}, AudienceMissing),
        ({}, {"exp": 1_800_014_400}, Expired),
        ({}, {"exp": ABSENT}, CredentialMalformed),
        ({}, {"exp": "1800015000"}, CredentialMalformed),
        ({}, {"exp": True}, CredentialMalformed),
        ({}, {"exp": 1_800_015_000_000}, CredentialMalformed),
        ({}, {"exp": 1_800_014_400 + 86_401}, Rejected),
        ({}, {"nbf": 1_800_014_400 + 61}, NotYetValid),
        ({}, {"iat": 1_800_014_400 + 61}, NotYetValid),
        ({}, {"sub": ABSENT}, CredentialMalformed),
        ({}, {"sub": ""}, CredentialMalformed),
        ({}, {"sub": "a\x00b"}, CredentialMalformed),
        ({}, {"sub": "a\r\nb"}, CredentialMalformed),
        ({}, {"sub": "a" * 1025}, IdentifierTooLong),
        ({}, {"cnf": {"jkt": "thumb"}}, PossessionMissing),
        ({}, {"cnf": {"x5t#S256": "thumb"}}, PossessionMissing),
        ({}, {"cnf": None}, PossessionMissing),
        ({}, {"act": {"sub": "b"}}, Rejected),
        ({}, {"may_act": {"sub": "b", "email": "c"}}, Rejected),
        ({}, {"scope": ["read"]}, CredentialMalformed),
        ({}, {"events": {}}, KindMismatch),
        ({}, {"htm": "POST", "htu": "https://a.example"}, KindMismatch),
        ({}, {"filling": "x" * 16_384}, CredentialTooLarge),
    ],
)
async def test_every_fault_has_its_own_refusal(
    bench: Bench, header: dict[str, Any], changes: dict[str, Any], refusal: type[Refusal]
) -> None:
    found = await bench.refused(bench.a.jwt(header, **changes))
    assert type(found) is refusal
    assert found.role == Role.SUBJECT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eyJhbGciOiJub25lIn0.e30.",
        "a.b",
        "a.b.c.d.e",
        '{"payload":"e30","signatures":[]}',
        "eyJhbGciOiJFUzI1NiJ9.e30.AA~eyJhIjoxfQ~",
        " " * 100,
    ],
)
async def test_what_is_no_compact_jws_is_nobodys(bench: Bench, text: str) -> None:
    assert type(await bench.refused(text)) is Unclaimed


async def test_a_bound_token_passes_with_its_key(bench: Bench) -> None:
    token = bench.a.jwt(cnf={"jkt": "thumb"})
    assert (await bench.prove(token, Possession(thumbprints=frozenset({"thumb"})))).confirmation == "thumb"


async def test_a_configured_audience_takes_the_place_of_the_zones(http: Egress) -> None:
    bench = Bench(http, audience=["cambist", "sts"])
    for audience in ("cambist", ["other", "sts"]):
        assert (await bench.prove(bench.a.jwt(aud=audience))).meant_for == {"cambist", "sts"}
    refusal = await bench.refused(bench.a.jwt(aud=STS))
    assert (type(refusal), refusal.expected) == (AudienceMismatch, ["cambist", "sts"])
    assert (await bench.prove(bench.b.jwt(aud=STS))).meant_for == frozenset()


async def test_leeway_lifetime_and_types_are_the_issuers_own(http: Egress) -> None:
    bench = Bench(http, leeway=5, max_lifetime=60, types=["application/AT+JWT"])
    now = int(bench.clock())
    good = {"exp": now + 60}
    assert (await bench.prove(bench.a.jwt({"typ": "at+jwt"}, **good))).expires_at == now + 60
    assert type(await bench.refused(bench.a.jwt({"typ": "JWT"}, **good))) is KindMismatch
    assert type(await bench.refused(bench.a.jwt({"typ": "at+jwt"}, iat=now, exp=now + 61))) is Rejected
    assert type(await bench.refused(bench.a.jwt({"typ": "at+jwt"}, iat=now + 6, exp=now + 60))) is NotYetValid
    assert (await bench.prove(bench.b.jwt(iat=now + 60))).expires_at == now + 600  # the other issuer has the usual bounds


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "RS256", "PS512", "Ed25519"])
async def test_the_algorithms_of_an_issuer_are_those_that_are_listed(http: Egress, algorithm: str) -> None:
    clock = MovableClock()
    forge = Forge(A, STS, clock, algorithm=algorithm)
    for listed, accepted in ((algorithm, True), ("ES256" if algorithm != "ES256" else "RS256", False)):
        settings = JwtSettings.model_validate({"issuers": [{"issuer": A, "jwks": forge.jwks, "algorithms": [listed]}]})
        plugin = JwtValidator(settings, Jwts(http, clock))
        credential = Credential(token=forge.jwt(), token_type=JWT, role=Role.SUBJECT)
        if accepted:
            assert (await plugin.validate(credential)).identity.issuer == A
        else:
            with pytest.raises(AlgorithmRefused):
                await plugin.validate(credential)


async def test_an_issuer_that_may_delegate_is_believed_its_chain(http: Egress) -> None:
    bench = Bench(http, delegation=True)
    assert (await bench.prove(bench.a.jwt(act={"sub": "b"}))).chain == (Identity(issuer=A, subject="b"),)
    assert type(await bench.refused(bench.a.jwt(act={"sub": ""}))) is CredentialMalformed
    assert type(await bench.refused(bench.a.jwt(act={"sub": "b\x00"}))) is CredentialMalformed
    assert type(await bench.refused(bench.b.jwt(act={"sub": "b"}))) is Rejected


@pytest.mark.row("T-jwt")
async def test_keys_in_a_file_are_replaced_while_it_runs_and_a_broken_replacement_is_not_taken(http: Egress, tmp_path: Path) -> None:
    clock, path = MovableClock(), tmp_path / "keys.json"
    old, new = Forge(A, STS, clock, kid="old"), Forge(A, STS, clock, kid="new")
    path.write_bytes(msgspec.json.encode(old.jwks))
    plugin = JwtValidator(JwtSettings.model_validate({"issuers": [{"issuer": A, "jwks_file": str(path)}]}), Jwts(http, clock))

    async def judged(forge: Forge) -> str:
        try:
            proven = await plugin.validate(Credential(token=forge.jwt(), token_type=JWT, role=Role.SUBJECT))
        except Refusal as refusal:
            return refusal.reason
        return proven.identity.issuer

    assert (await judged(old), await judged(new)) == (A, "key_unknown")
    path.write_text('{"keys": [')
    assert (await judged(old), await judged(new)) == (A, "key_unknown")
    path.write_bytes(msgspec.json.encode(new.jwks))
    os.utime(path, (time.time() + 5, time.time() + 5))
    assert (await judged(old), await judged(new)) == ("key_unknown", A)
