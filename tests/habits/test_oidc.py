"""The two real issuers say what the tests that lean on them expect of them."""

from __future__ import annotations

import json
import time

import httpx
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from habits.oidc import CLIENT, OidcProvider, OidcProviderMock

RESOURCE = "https://sts.example.test"


def _keys(issuer: str) -> KeySet:
    """Its keys, by discovery, as a stock client finds them."""
    discovered = httpx.get(f"{issuer}/.well-known/openid-configuration", trust_env=False).json()
    assert discovered["issuer"] == issuer
    return KeySet.import_key_set(httpx.get(discovered["jwks_uri"], trust_env=False).json())


def test_oidc_provider_issues_access_tokens_of_rfc_9068(oidc_provider: OidcProvider) -> None:
    token = jwt.decode(oidc_provider.token(RESOURCE, "orders.read orders.write"), _keys(oidc_provider.issuer), algorithms=["RS256"])
    assert token.header["typ"] == "at+jwt"
    assert {name: token.claims[name] for name in ("iss", "sub", "client_id", "aud", "scope")} == {
        "iss": oidc_provider.issuer,
        "sub": CLIENT,
        "client_id": CLIENT,
        "aud": RESOURCE,
        "scope": "orders.read orders.write",
    }
    assert token.claims["exp"] > time.time() + 60


def test_oidc_provider_takes_any_resource(oidc_provider: OidcProvider) -> None:
    payload = jws.extract_compact(oidc_provider.token("http://127.0.0.1:8693").encode()).payload
    assert json.loads(payload)["aud"] == "http://127.0.0.1:8693"


def test_oidc_provider_mock_issues_id_tokens_without_kid(oidc_provider_mock: OidcProviderMock) -> None:
    compact = oidc_provider_mock.id_token(RESOURCE, "bob", email="bob@example.test")
    token = jwt.decode(compact, _keys(oidc_provider_mock.issuer), algorithms=["RS256"])
    assert "kid" not in token.header
    assert {name: token.claims[name] for name in ("iss", "sub", "aud", "email")} == {
        "iss": oidc_provider_mock.issuer,
        "sub": "bob",
        "aud": [RESOURCE],
        "email": "bob@example.test",
    }
