"""Nothing is advertised that is refused: what a zone's metadata says is tried, value by value, and so is what it does not say."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from argon2 import PasswordHasher

from cambist import Permit
from cambist.client_assertion import JWT_BEARER
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import ACCESS_TOKEN, JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

SHOP = f"{ISSUER}/z/shop"
API = "https://api.example.test"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s")
CLOCK = MovableClock()
SIGNING = ("ES256", "EdDSA", "Ed25519", "PS256")
NAMES = "urn:cambist:metadata:"


@dataclass(frozen=True)
class Zone:
    """One zone of an open service, as a client sees it that knows nothing but its metadata."""

    running: Running
    issuer: str
    document: dict[str, Any]
    trusted: Forge
    signers: dict[str, Forge]

    async def asked(self, url: str | None = None, *, headers: Any = None, **parameters: Any) -> httpx.Response:
        url = url or self.document["token_endpoint"]
        given = {"audience": API, **parameters}
        if parameters.get("grant_type") != CLIENT_CREDENTIALS:
            given = {"grant_type": TOKEN_EXCHANGE, "subject_token": self.trusted.jwt(), "subject_token_type": JWT, **given}
        body: dict[str, Any] = {"json": given} if url.endswith("/v1/exchange/token") else {"data": given}
        return await self.running.http.post(url, headers=headers or {}, **body)

    def assertion(self, algorithm: str) -> dict[str, str]:
        forge = self.signers[algorithm]
        signed = forge.jwt(sub=forge.issuer, aud=self.issuer, exp=int(CLOCK()) + 60)
        return {"client_assertion": signed, "client_assertion_type": JWT_BEARER}


def declared(issuer: str, signers: dict[str, Forge]) -> dict[str, Any]:
    applications: dict[str, Any] = {forge.issuer: {"jwks": forge.jwks} for forge in signers.values()}
    grants = [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]
    return {"authenticates": [JWT], "applications": {**applications, "ci": {"secret_hash": HASH, "grants": grants}}}


@pytest.fixture(params=[ISSUER, SHOP])
async def zone(request: pytest.FixtureRequest) -> AsyncIterator[Zone]:
    issuer: str = request.param
    signers = {name: Forge(f"signer-{name.lower()}", issuer, CLOCK, algorithm=name) for name in SIGNING}
    trusted = Forge("https://issuer.example.test", issuer, CLOCK)
    ours = declared(issuer, signers)
    settings = ours if issuer == ISSUER else {"zones": {"shop": {"issuer": issuer, **ours}}}
    modules = {"trusting": Trusting(trusted), "scripted": Scripted(Permit())}
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        path = urlsplit(issuer).path
        answered = await running.http.get(f"/.well-known/oauth-authorization-server{path}")
        yield Zone(running, issuer, answered.json(), trusted, signers)


def granted(answered: httpx.Response, zone: Zone) -> None:
    assert answered.status_code == 200, answered.text
    assert Compact.parse(answered.json()["access_token"]).claims["iss"] == zone.issuer


@pytest.mark.row("P-discovery")
async def test_every_grant_type_that_is_told_is_granted_and_no_other(zone: Zone) -> None:
    secret = {"client_id": "ci", "client_secret": "s"}
    for grant in zone.document["grant_types_supported"]:
        granted(await zone.asked(grant_type=grant, **secret), zone)
    for grant in ("authorization_code", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer"):
        assert grant not in zone.document["grant_types_supported"]
        refused = await zone.asked(grant_type=grant, **secret)
        assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.row("P-discovery")
async def test_every_way_to_authenticate_that_is_told_is_taken(zone: Zone) -> None:
    """RFC 8414 section 2: `none` is for who needs no authentication of its own."""
    ways: dict[str, dict[str, Any]] = {
        "client_secret_basic": {"headers": {"authorization": f"Basic {base64.b64encode(b'ci:s').decode()}"}},
        "client_secret_post": {"client_id": "ci", "client_secret": "s"},
        "private_key_jwt": zone.assertion("ES256"),
        "none": {},
    }
    assert zone.document["token_endpoint_auth_methods_supported"] == list(ways)
    for way in ways.values():
        granted(await zone.asked(**way), zone)


@pytest.mark.row("P-discovery")
async def test_every_algorithm_that_is_told_signs_an_assertion(zone: Zone) -> None:
    assert set(zone.document["token_endpoint_auth_signing_alg_values_supported"]) == set(SIGNING)
    for algorithm in zone.document["token_endpoint_auth_signing_alg_values_supported"]:
        granted(await zone.asked(**zone.assertion(algorithm)), zone)


@pytest.mark.row("P-discovery")
async def test_every_type_of_token_that_is_told_is_taken_and_given(zone: Zone) -> None:
    own = (await zone.asked(audience=zone.issuer)).json()["access_token"]
    subjects: dict[str, Callable[[], str]] = {JWT: zone.trusted.jwt, ACCESS_TOKEN: lambda: own}
    assert zone.document[f"{NAMES}subject_token_types_supported"] == sorted(subjects)
    for name, token in subjects.items():
        for requested in zone.document[f"{NAMES}requested_token_types_supported"]:
            proof = {"client_id": "ci", "client_secret": "s"}
            answered = await zone.asked(subject_token=token(), subject_token_type=name, requested_token_type=requested, **proof)
            granted(answered, zone)
            assert answered.json()["issued_token_type"] == requested


@pytest.mark.row("P-discovery")
async def test_every_endpoint_that_is_told_is_there(zone: Zone) -> None:
    endpoints = {name: value for name, value in zone.document.items() if isinstance(value, str) and name != "issuer"}
    assert set(endpoints) == {"token_endpoint", "authorization_endpoint", "jwks_uri", f"{NAMES}json_exchange_endpoint"}
    granted(await zone.asked(endpoints["token_endpoint"]), zone)
    granted(await zone.asked(endpoints[f"{NAMES}json_exchange_endpoint"]), zone)
    keys = (await zone.running.http.get(endpoints["jwks_uri"])).json()["keys"]
    token = (await zone.asked()).json()["access_token"]
    assert Compact.parse(token).header["kid"] in {key["kid"] for key in keys}


@pytest.mark.row("P-discovery")
@pytest.mark.parametrize("response_type", ["code", "token", "id_token", "none", ""])
async def test_the_authorization_endpoint_is_there_and_has_no_response_type(zone: Zone, response_type: str) -> None:
    """Clients that want one in the document get one; it promises nothing, and sends nobody anywhere (RFC 6749 section 4.1.2.1)."""
    assert "response_types_supported" not in zone.document
    sent = {"response_type": response_type, "client_id": "ci", "redirect_uri": "https://evil.example.test"}
    answered = await zone.running.http.get(zone.document["authorization_endpoint"], params=sent)
    told = answered.json()
    assert (answered.status_code, told["error"], told["reason"]) == (400, "unsupported_response_type", "response_type_unsupported")
    assert "location" not in answered.headers
    assert "evil" not in answered.text


@pytest.mark.row("P-discovery")
async def test_every_dialect_that_is_told_is_spoken(zone: Zone) -> None:
    assert zone.document[f"{NAMES}dialects_supported"] == ["oauth", "v1"]
    before = len(zone.running.records)
    await zone.asked(zone.document["token_endpoint"])
    await zone.asked(zone.document[f"{NAMES}json_exchange_endpoint"])
    spoken = [record.trace.outcome("request").dialect for record in zone.running.records[before:]]
    assert spoken == zone.document[f"{NAMES}dialects_supported"]
