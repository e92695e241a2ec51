"""What is measured: one workload with a token of a foreign issuer asks for one target, by default rules, with everything switched on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from cambist import Identity
from cambist.identifier import identifier
from cambist.question import VERSION, Asked, Client, Party, Question, RequestDocument, encoded
from cambist.zone import Zone

ROOT = Path(__file__).parents[2]
JWT = "urn:ietf:params:oauth:token-type:jwt"
KINDS = {
    "jwt": (JWT, {}, {}),
    "oidc": ("urn:ietf:params:oauth:token-type:id_token", {}, {}),
    "access-token": ("urn:ietf:params:oauth:token-type:access_token", {"typ": "at+jwt"}, {"client_id": "web", "scope": "read"}),
}
"""Plugins that judge JWTs of an issuer: the type of their tokens, and what is in such a token's header and claims beside the usual."""
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ISSUER = "https://issuer.example.test"
TARGET = "https://api.example.test"
DAY = 86_400
KEK = "4b" * 32


@dataclass(frozen=True)
class Work:
    """Issuers with keys of both kinds, and what is asked of a service at `audience`."""

    audience: str
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256", "use": "sig"}))
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256", "use": "sig"}))

    def token(self, algorithm: str = "ES256", kind: str = "jwt", **changes: Any) -> str:
        key, now = (self.ec if algorithm == "ES256" else self.rsa), int(time.time())
        _, header, more = KINDS[kind]
        claims = {"iss": ISSUER, "sub": "web", "aud": self.audience, "iat": now, "exp": now + DAY // 2, "jti": "j", **more, **changes}
        return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key)

    @property
    def jwks(self) -> Mapping[str, Any]:
        return {"keys": [self.ec.as_dict(private=False), self.rsa.as_dict(private=False)]}

    def body(self, **changes: Any) -> bytes:
        """A request in the JSON dialect."""
        asked = {"grant_type": GRANT, "subject_token_type": JWT, "audience": TARGET, "scope": "read"}
        if "subject_token" not in changes:
            asked["subject_token"] = self.token()
        return msgspec.json.encode(asked | changes)

    def data(self, folder: Path) -> Path:
        """What the default rules grant by."""
        grants = {issuer: {"web": {TARGET: {"scopes": ["read"]}}} for issuer in (ISSUER, self.audience)}
        file = folder / "data.json"
        file.write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants}}}}))
        return file

    def question(self) -> bytes:
        """What the policy is asked about such a request."""
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "web", "aud": self.audience, "iat": now, "exp": now + DAY // 2, "jti": "j"}
        name = identifier(Zone(issuer=self.audience), Identity(issuer=ISSUER, subject="web"))
        ends: dict[str, Any] = {"token_type": JWT, "expires_at": now + DAY // 2, "audience": [self.audience], "attributes": claims}
        return encoded(
            Question(
                version=VERSION,
                zone="default",
                now=now,
                subject=Party(id=name, issuer=ISSUER, subject="web", **ends),
                actor=None,
                chain=[],
                client=Client(id=name, method="subject", application=False),
                request=RequestDocument(grant_type=GRANT, targets=[Asked(id=TARGET, declared=False)], scope=["read"]),
            )
        )

    def of_kind(self, kind: str) -> bytes:
        """A request with a token that another plugin judges."""
        return self.body(subject_token=self.token(kind=kind), subject_token_type=KINDS[kind][0])

    def settings(self, folder: Path, *, alg: str = "ES256", policy: Mapping[str, Any] | None = None, kind: str = "jwt") -> dict[str, Any]:
        """Everything that protects is on: encrypted keys, a store that processes share, and the ledger."""
        folder.mkdir(parents=True, exist_ok=True)
        data = self.data(folder)
        rules = policy or {"opa-wasm": {"bundle": str(ROOT / "policies/bundle.tar.gz"), "data": str(data)}}
        return {
            "issuer": self.audience,
            "authenticates": [KINDS[kind][0]],
            "plugins": {
                kind: {"issuers": [{"issuer": ISSUER, "audience": [self.audience], "jwks": self.jwks, "algorithms": ["ES256", "RS256"]}]},
                "keys-file": {"directory": str(folder / "keys"), "kek": KEK, "algorithm": alg},
                "sqlite": {"path": str(folder / "store.sqlite")},
                "audit-log": {"directory": str(folder / "ledger"), "kek": "4b" * 32},
                **rules,
            },
        }
