"""A real Keycloak for tests, with a realm of its own: it issues ID tokens and access tokens, and is asked about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import ECKey

from .parts import absent, tools
from .running import free_port, running

REALM = Path(__file__).with_name("keycloak_realm.json")
VERSION = "26.7.3"
USER, PASSWORD = "alice", "the password of a test"
CLIENT, SECRET = "workload", "the secret of a test"
RESOURCE, RESOURCE_BY_KEY = "resource-server", "resource-server-by-key"
"""Two clients that may ask about the tokens of CLIENT, one by SECRET and one by a key."""
START = 110.0


@dataclass(frozen=True)
class Keycloak:
    """A running Keycloak: its realm's issuer, and the private key of RESOURCE_BY_KEY."""

    issuer: str
    key: str = field(repr=False)

    @property
    def introspection(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token/introspect"

    def tokens(self, client: str = CLIENT, scope: str = "openid email") -> dict[str, Any]:
        """What Keycloak issues for USER to one of its clients: `id_token`, `access_token`, `refresh_token`."""
        return self._asked("token", grant_type="password", username=USER, password=PASSWORD, scope=scope, client_id=client)

    def service_token(self, client: str = CLIENT) -> str:
        """An access token for the client itself."""
        return str(self._asked("token", grant_type="client_credentials", client_id=client)["access_token"])

    def end(self, tokens: dict[str, Any], client: str = CLIENT) -> None:
        """End the session of these tokens: they are active no more."""
        self._asked("logout", refresh_token=tokens["refresh_token"], client_id=client)

    def _asked(self, what: str, **form: str) -> dict[str, Any]:
        url = f"{self.issuer}/protocol/openid-connect/{what}"
        answer = httpx.post(url, data={"client_secret": SECRET, **form}, trust_env=False, timeout=30)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}


@contextmanager
def keycloak(log: Path) -> Iterator[Keycloak]:
    """Start Keycloak and import the realm. Skips or fails the test where it is absent."""
    home, port = tools() / f"keycloak-{VERSION}", free_port()
    if not (home / "bin" / "kc.sh").is_file():
        absent("keycloak")
    command = ["sh", home / "bin" / "kc.sh", "start", "--optimized", "--cache=local", "--http-enabled=true", "--hostname-strict=false"]
    command += ["--http-host=127.0.0.1", f"--http-port={port}", "--log-level=warn"]
    env = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": SECRET, "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m"}
    base = f"http://127.0.0.1:{port}"
    with running(command, f"{base}/realms/master", log, env, patience=START):
        key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
        _import(base, key)
        yield Keycloak(f"{base}/realms/cambist", json.dumps(key.as_dict(private=True)))


def _import(base: str, key: ECKey) -> None:
    """The realm goes to the API, not into the folder of the program: that one is shared with whoever else starts it."""
    realm = json.loads(REALM.read_text("utf-8"))
    by_key = next(client for client in realm["clients"] if client["clientId"] == RESOURCE_BY_KEY)
    by_key["attributes"]["jwks.string"] = json.dumps({"keys": [key.as_dict(private=False)]})
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as http:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": SECRET}
        token = http.post("/realms/master/protocol/openid-connect/token", data=form).raise_for_status().json()["access_token"]
        http.post("/admin/realms", json=realm, headers={"authorization": f"Bearer {token}"}).raise_for_status()
