"""Two real issuers for tests: npm's oidc-provider for access tokens, PyPI's oidc-provider-mock for ID tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc.jwk import ECKey

from .parts import npm_package, program
from .running import free_port, running

SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
CLIENT, SECRET = "workload", "the secret of a test"


@dataclass(frozen=True)
class OidcProvider:
    """A running oidc-provider of npm. Its access tokens are RFC 9068 JWTs, signed RS256, with `sub` and `client_id` CLIENT."""

    issuer: str
    key: str = field(repr=False)
    """The private key of its client `by-key`."""

    @property
    def introspection(self) -> str:
        return f"{self.issuer}/token/introspection"

    def revoke(self, token: str) -> None:
        httpx.post(f"{self.issuer}/token/revocation", data={"token": token}, auth=(CLIENT, SECRET), trust_env=False).raise_for_status()

    def token(self, resource: str, scope: str = "") -> str:
        """An access token, by client credentials, whose audience is `resource` (an absolute URI) and whose scope is the one asked for.

        It is opaque where the resource has the query `opaque`, and a JWT elsewhere.
        """
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=(CLIENT, SECRET), trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@contextmanager
def oidc_provider(log: Path) -> Iterator[OidcProvider]:
    """Start npm's oidc-provider. Skips or fails the test where it or node is absent."""
    package, node, port = npm_package("oidc-provider"), program("node"), free_port()
    issuer = f"http://127.0.0.1:{port}"
    key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
    command = [node, SCRIPT, package, str(port), CLIENT, SECRET, json.dumps(key.as_dict(private=False))]
    with running(command, f"{issuer}/.well-known/openid-configuration", log):
        yield OidcProvider(issuer, json.dumps(key.as_dict(private=True)))


@dataclass(frozen=True)
class OidcProviderMock:
    """A running oidc-provider-mock of PyPI. Its ID tokens are signed RS256 without `kid`; `aud` is a list."""

    issuer: str

    def id_token(self, audience: str, subject: str = "alice", **claims: Any) -> str:
        """An ID token for a user with these claims, by the authorization code flow; the client's id is the audience."""
        redirect = "http://127.0.0.1/callback"
        with httpx.Client(base_url=self.issuer, trust_env=False) as http:
            http.put(f"/users/{subject}", json=claims).raise_for_status()
            client = {"client_id": audience, "redirect_uri": redirect}
            query = {**client, "response_type": "code", "scope": "openid profile email", "nonce": "n"}
            answer = http.post("/oauth2/authorize", params=query, data={"sub": subject})
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            form = {**client, "grant_type": "authorization_code", "code": code, "client_secret": "any"}
            answer = http.post("/oauth2/token", data=form)
            answer.raise_for_status()
            return str(answer.json()["id_token"])


@contextmanager
def oidc_provider_mock(log: Path) -> Iterator[OidcProviderMock]:
    """Start oidc-provider-mock, which is among the locked requirements of the workspace."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    with running([sys.executable, "-m", "oidc_provider_mock", "--port", str(port)], f"{issuer}/.well-known/openid-configuration", log):
        yield OidcProviderMock(issuer)
