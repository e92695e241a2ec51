"""What a client can learn of the service by itself is made of what is enabled, and of nothing that was sent (RFC 8414)."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from cambist import hookimpl
from cambist.testing import ISSUER, AllowAll, Forge, MovableClock, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import ACCESS_TOKEN, JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s")
PATH = "/.well-known/oauth-authorization-server"
FORGE = Forge("https://issuer.example.test", ISSUER, MovableClock())
EDWARDS = Forge("b", ISSUER, MovableClock(), algorithm="EdDSA")


async def document(settings: dict[str, Any] | None = None, **modules: Any) -> dict[str, Any]:
    async with open_sts(settings or {}, modules=modules) as running:
        answered = await running.http.get(PATH)
    assert (answered.status_code, answered.headers["content-type"]) == (200, "application/json")
    assert "max-age=300" in answered.headers["cache-control"]
    found = answered.json()
    assert isinstance(found, dict)
    return found


async def test_the_least_service_tells_issuer_endpoints_and_grant() -> None:
    """MD-01, MD-03, MD-04: and no member without elements."""
    assert await document() == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/2/token",
        "authorization_endpoint": f"{ISSUER}/oauth/2/authorize",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "grant_types_supported": [TOKEN_EXCHANGE],
        "urn:cambist:metadata:subject_token_types_supported": [ACCESS_TOKEN, JWT],
        "urn:cambist:metadata:requested_token_types_supported": [ACCESS_TOKEN, JWT],
        "urn:cambist:metadata:json_exchange_endpoint": f"{ISSUER}/v1/exchange/token",
        "urn:cambist:metadata:dialects_supported": ["oauth", "v1"],
    }


@pytest.mark.parametrize(
    ("application", "methods"),
    [
        ({"secret_hash": HASH}, ["client_secret_basic", "client_secret_post"]),
        ({"jwks": FORGE.jwks}, ["private_key_jwt"]),
        ({"jwks": FORGE.jwks, "secret_hash": HASH}, ["client_secret_basic", "client_secret_post", "private_key_jwt"]),
    ],
)
async def test_only_ways_to_authenticate_that_somebody_can_use_are_told(application: dict[str, Any], methods: list[str]) -> None:
    """MD-05, MD-07."""
    found = await document({"applications": {"ci": application}})
    assert found["token_endpoint_auth_methods_supported"] == methods
    assert ("token_endpoint_auth_signing_alg_values_supported" in found) == ("private_key_jwt" in methods)
    assert "none" not in found.get("token_endpoint_auth_signing_alg_values_supported", [])
    open_too = await document({"applications": {"ci": application}, "authenticates": [JWT]}, trusting=Trusting(FORGE))
    assert open_too["token_endpoint_auth_methods_supported"] == [*methods, "none"]


async def test_algorithms_are_those_of_the_applications_that_sign() -> None:
    applications = {
        "a": {"jwks": FORGE.jwks, "algorithms": ["ES256", "PS256"]},
        "b": {"jwks": EDWARDS.jwks, "algorithms": ["ES384", "EdDSA"]},
        "c": {"secret_hash": HASH, "algorithms": ["RS256"]},
    }
    found = await document({"applications": applications})
    assert found["token_endpoint_auth_signing_alg_values_supported"] == ["ES256", "EdDSA"]


async def test_a_key_by_which_nobody_may_sign_is_no_way_to_authenticate() -> None:
    found = await document({"applications": {"a": {"jwks": FORGE.jwks, "algorithms": ["PS256"]}}})
    assert not found.keys() & {"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported"}


async def test_client_credentials_are_told_when_some_application_may_use_them() -> None:
    applications = {"a": {"secret_hash": HASH}, "b": {"secret_hash": HASH, "grants": [CLIENT_CREDENTIALS]}}
    assert (await document({"applications": applications}))["grant_types_supported"] == [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]
    alone = {"b": applications["b"]}
    assert (await document({"applications": alone}))["grant_types_supported"] == [CLIENT_CREDENTIALS]


async def test_a_type_is_told_when_its_plugin_is_enabled() -> None:
    """MD-07."""

    class Badge:
        token_types, issuers = frozenset({"urn:acme:badge"}), None

        def recognizes(self, unverified: object) -> bool:
            return True

        async def validate(self, credential: object) -> object:
            raise NotImplementedError

    class Module:
        @hookimpl
        def cambist_validators(self, host: object) -> list[Badge]:
            return [Badge()]

    found = await document({}, badge=Module())
    assert found["urn:cambist:metadata:subject_token_types_supported"] == ["urn:acme:badge", ACCESS_TOKEN, JWT]


async def test_endpoints_are_at_the_public_url() -> None:
    """Decision 29."""
    found = await document({"public_url": "https://public.example.test/sts/"})
    assert found["issuer"] == ISSUER
    assert found["token_endpoint"] == "https://public.example.test/sts/oauth/2/token"
    assert found["jwks_uri"] == "https://public.example.test/sts/.well-known/jwks.json"
    assert found["urn:cambist:metadata:json_exchange_endpoint"] == "https://public.example.test/sts/v1/exchange/token"


async def test_a_default_zone_that_cannot_open_is_told_as_unavailable() -> None:
    class Broken(AllowAll):
        async def __aenter__(self) -> None:
            raise OSError("no bundle")

        async def __aexit__(self, *error: object) -> None:
            return None

    async with open_sts({}, modules={"broken": Broken()}) as running:
        answered = await running.http.get(PATH)
        assert (answered.status_code, answered.json()["error"]) == (503, "temporarily_unavailable")
        assert answered.headers["retry-after"] == "5"
        assert answered.headers["cache-control"] == "no-store"
        assert "no bundle" not in answered.text
