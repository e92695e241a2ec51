"""What every client meets: a served Cambist and a protected API, by TLS, and a workload with tokens in files."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from habits.running import free_port

from cambist.client_secret import hash_secret
from cambist.identifier import segment
from cambist.testing import Forge, serve
from cambist.token_type import JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from cambist_hostapp.authority import Certificates, certificates

from .api import api

ISSUER, SUBJECT = "https://ci.example.test", "workload-1"
SECRET = "the secret of a shop"
ELSEWHERE = "https://elsewhere.example.test"
WORKLOAD = f"wimse://localhost/issuer/{segment(ISSUER)}/subject/{SUBJECT}"
ROBOT = "wimse://localhost/application/robot"


@dataclass(frozen=True)
class Stage:
    """Everything that a client is told, and the files that it reads; `folder` is theirs."""

    sts: str
    api: str
    folder: Path
    trust: Certificates
    key: Forge = field(default_factory=lambda: Forge("robot", "", time.time))
    """Signs what the applications `robot` and `clerk` prove themselves with."""
    workloads: Forge = field(default_factory=lambda: Forge(ISSUER, "", time.time))

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client's program reads."""
        private = {**self.key.key.as_dict(private=True), "kid": self.key.kid}
        return {
            "STS": self.sts,
            "API": self.api,
            "MCP": f"{self.api}/mcp",
            "CLIENT": "clerk",
            "SECRET": SECRET,
            "KEY_PEM": self._file("key.pem", self.key.key.as_pem(private=True).decode()),
            "KEY_JWK": self._file("key.jwk", json.dumps(private)),
            **self.workload(self.sts),
        }

    def workload(self, audience: str) -> Mapping[str, str]:
        """The token of a workload for this audience in a file, with the newline of such files; and the file that tells Google's SDKs."""
        where = audience.partition("://")[2].replace(":", "-")
        token = self._file(f"token-for-{where}", self.workloads.jwt(sub=SUBJECT, aud=audience) + "\n")
        described = {
            "type": "external_account",
            "audience": self.api,
            "subject_token_type": JWT,
            "token_url": f"{self.sts}/oauth/2/token",
            "credential_source": {"file": token},
        }
        return {"TOKEN_FILE": token, "CREDENTIALS": self._file(f"credentials-for-{where}.json", json.dumps(described))}

    @property
    def strange_key(self) -> str:
        """A file with a key that no application has."""
        return self._file("strange.pem", Forge("robot", "", time.time).key.as_pem(private=True).decode())

    def _file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, "utf-8")
        return str(self.folder / name)

    def decisions(self) -> frozenset[str]:
        """The ids of all decisions in the ledger."""
        texts = [file.read_text("utf-8", "replace") for file in (self.folder / "audit").rglob("*") if file.is_file()]
        return frozenset(found for text in texts for found in re.findall(r'"decision_id": ?"([^"]+)"', text))


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Serve both until the block ends."""
    trust, port, tls = certificates(folder), free_port(), free_port()
    set_up = Stage(f"https://localhost:{tls}", f"https://localhost:{port}", folder, trust)
    with serve(_settings(set_up, tls)), api(set_up.sts, port, trust):
        yield set_up


def _settings(stage: Stage, tls: int) -> Mapping[str, Any]:
    (stage.folder / "grants.json").write_text(json.dumps(_grants(stage)), "utf-8")
    kek = "4b" * 32
    return {
        "issuer": stage.sts,
        "authenticates": [JWT],
        "listen": {
            "host": "localhost",
            "tls_port": tls,
            "certificate": str(stage.trust.certificate),
            "private_key": str(stage.trust.private_key),
        },
        "applications": {
            "shop": {"secret_hash": hash_secret(SECRET)},
            "robot": {"jwks": stage.key.jwks, "grants": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]},
            # As Authlib is by default: its assertions are for the token endpoint, and live for an hour.
            "clerk": {"jwks": stage.key.jwks, "assertion_audience": "token_endpoint", "assertion_lifetime": 3600},
        },
        "zones": {"tenant": _tenant(stage)},
        "plugins": {
            "jwt": {"issuers": [{"issuer": ISSUER, "jwks": stage.workloads.jwks, "default_target": stage.api}]},
            "opa-wasm": {"data": str(stage.folder / "grants.json")},
            "audit-log": {"directory": str(stage.folder / "audit"), "kek": kek},
        },
    }


def _tenant(stage: Stage) -> Mapping[str, Any]:
    """A zone with an issuer of its own, whose path is what MSAL wants of an authority."""
    daemon = {"secret_hash": hash_secret(SECRET), "grants": [CLIENT_CREDENTIALS], "default_target": stage.api}
    plugins = {"opa-wasm": {"data": str(stage.folder / "grants.json")}}
    return {"issuer": f"{stage.sts}/z/tenant", "applications": {"daemon": daemon}, "plugins": plugins}


def _grants(stage: Stage) -> Mapping[str, Any]:
    """The workload may read the API, also through either application; the robot may read by itself, by MCP."""
    zone = {
        "grants": {ISSUER: {SUBJECT: {stage.api: {"scopes": ["read"]}}}, stage.sts: {"robot": {f"{stage.api}/mcp": {"scopes": ["read"]}}}},
        "clients": {name: {ISSUER: {SUBJECT: {}}} for name in ("shop", "robot", "clerk")},
    }
    tenant = {"grants": {f"{stage.sts}/z/tenant": {"daemon": {stage.api: {"scopes": ["read"]}}}}}
    return {"cambist": {"zones": {"default": zone, "tenant": tenant}}}
