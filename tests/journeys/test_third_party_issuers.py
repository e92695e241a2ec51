"""Tokens of real issuers, over real HTTP, through plugins as installed, in both dialects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.oidc import OidcProvider, OidcProviderMock
from habits.served import Served, address, served
from joserfc import jwt
from joserfc.jwk import KeySet

from cambist.token_type import ACCESS_TOKEN, JWT

TARGET = "https://api.example.test"
FOREIGN = "https://other.example.test"


def grants(issuer: str) -> dict[str, Any]:
    return {"cambist": {"zones": {"default": {"grants": {issuer: {"*": {TARGET: {"scopes": ["read", "write"], "ttl": 240}}}}}}}}


def verified(service: Served, token: str) -> dict[str, Any]:
    """The claims, verified by a stock JOSE library with the keys that the service publishes."""
    keys = KeySet.import_key_set(httpx.get(f"{service.url}/.well-known/jwks.json", trust_env=False).json())
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


@pytest.fixture
def behind_mock(tmp_path: Path, oidc_provider_mock: OidcProviderMock) -> Iterator[Served]:
    """A service that trusts oidc-provider-mock by discovery, for the audience `cambist`."""
    toml = f'[[plugins.jwt.issuers]]\nissuer = "{oidc_provider_mock.issuer}"\naudience = ["cambist"]\n'
    with served(tmp_path, address(), toml, grants(oidc_provider_mock.issuer)) as service:
        yield service


@pytest.fixture
def behind_npm(tmp_path: Path, oidc_provider: OidcProvider) -> Iterator[Served]:
    """A service that trusts npm's oidc-provider by its JWKS URL, for tokens that are meant for the service itself."""
    toml = f'[[plugins.jwt.issuers]]\nissuer = "{oidc_provider.issuer}"\njwks_url = "{oidc_provider.issuer}/jwks"\n'
    with served(tmp_path, address(), toml, grants(oidc_provider.issuer)) as service:
        yield service


@pytest.mark.row("T-jwt", real="oidc_provider_mock")
@pytest.mark.row("J-exchange", real="oidc_provider_mock")
def test_an_id_token_of_the_mock_is_exchanged_by_json(behind_mock: Served, oidc_provider_mock: OidcProviderMock) -> None:
    answer = behind_mock.json(oidc_provider_mock.id_token("cambist"), audience=TARGET, scope="read")
    assert answer.status_code == 200, answer.text
    members = answer.json()
    assert members.keys() == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (members["issued_token_type"], members["token_type"], members["scope"]) == (JWT, "Bearer", "read")
    claims = verified(behind_mock, members["access_token"])
    assert claims["aud"] == TARGET
    assert claims["sub"].startswith("wimse://localhost/issuer/")
    assert claims["sub"].endswith("/subject/alice")
    assert claims["exp"] - claims["iat"] == members["expires_in"] == 240


@pytest.mark.row("T-jwt", real="oidc_provider_mock")
@pytest.mark.row("F-exchange", real="oidc_provider_mock")
def test_an_id_token_of_the_mock_is_exchanged_by_form(behind_mock: Served, oidc_provider_mock: OidcProviderMock) -> None:
    answer = behind_mock.form(oidc_provider_mock.id_token("cambist", "bob"), resource=TARGET)
    assert answer.status_code == 200, answer.text
    assert answer.json()["issued_token_type"] == ACCESS_TOKEN
    assert "scope" not in answer.json()
    assert verified(behind_mock, answer.json()["access_token"])["sub"].endswith("/subject/bob")


@pytest.mark.row("T-jwt", real="oidc_provider_mock")
def test_an_id_token_for_another_client_is_refused(behind_mock: Served, oidc_provider_mock: OidcProviderMock) -> None:
    refusal = behind_mock.form(oidc_provider_mock.id_token("another"), audience=TARGET)
    assert (refusal.status_code, refusal.json()["reason"]) == (400, "audience_mismatch")
    assert refusal.json()["details"]["expected"] == ["cambist"]
    assert refusal.json()["details"]["seen"] == ["another"]


@pytest.mark.row("T-jwt", real="oidc_provider")
@pytest.mark.row("J-exchange", real="oidc_provider")
def test_an_access_token_of_npm_is_exchanged_by_json(behind_npm: Served, oidc_provider: OidcProvider) -> None:
    answer = behind_npm.json(oidc_provider.token(behind_npm.url), audience=TARGET, scope="read write")
    assert answer.status_code == 200, answer.text
    claims = verified(behind_npm, answer.json()["access_token"])
    assert (claims["iss"], claims["zone_id"], claims["td"]) == (behind_npm.url, "default", "localhost")
    assert abs(claims["iat"] - time.time()) < 10


@pytest.mark.row("T-jwt", real="oidc_provider")
@pytest.mark.row("F-exchange", real="oidc_provider")
def test_an_access_token_of_npm_is_exchanged_by_form(behind_npm: Served, oidc_provider: OidcProvider) -> None:
    answer = behind_npm.form(oidc_provider.token(behind_npm.url) + "\n", audience=TARGET)
    assert answer.status_code == 200, answer.text


@pytest.mark.row("T-jwt", real="oidc_provider")
def test_an_access_token_for_another_resource_is_refused_in_both_dialects(behind_npm: Served, oidc_provider: OidcProvider) -> None:
    token = oidc_provider.token(FOREIGN)
    assert behind_npm.json(token, audience=TARGET).json()["reason"] == "audience_mismatch"
    assert behind_npm.form(token, audience=TARGET).json()["reason"] == "audience_mismatch"


@pytest.mark.row("J-policy", real="oidc_provider")
def test_a_target_that_no_grant_names_is_refused_with_the_public_reason(behind_npm: Served, oidc_provider: OidcProvider) -> None:
    refusal = behind_npm.json(oidc_provider.token(behind_npm.url), audience=FOREIGN)
    assert (refusal.status_code, refusal.json()["error"]) == (403, "access_denied")
    assert refusal.json()["error_description"] == "policy denied: no grant for this target"


@pytest.mark.row("T-jwt", real="oidc_provider")
def test_an_altered_token_of_a_real_issuer_is_refused(behind_npm: Served, oidc_provider: OidcProvider) -> None:
    token = oidc_provider.token(behind_npm.url)
    head, body, signature = token.split(".")
    altered = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert behind_npm.form(altered, audience=TARGET).json()["reason"] == "signature_invalid"
