"""An issuer of the test's own: it signs good JWTs, and precisely wrong ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from ..clock import Clock
from ..compact import encode

ABSENT: Any = object()
"""The value of a claim or header member that is to be left out."""


class Forge:
    """One issuer with one key."""

    def __init__(self, issuer: str, audience: str, clock: Clock, *, algorithm: str = "ES256", kid: str = "k1") -> None:
        self.issuer, self.audience, self.clock, self.algorithm, self.kid = issuer, audience, clock, algorithm, kid
        self.key = _key(algorithm)

    @property
    def jwks(self) -> dict[str, Any]:
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock())
        good = {
            "iss": self.issuer,
            "sub": "workload-1",
            "aud": self.audience,
            "iat": now,
            "exp": now + 600,
            "jti": secrets.token_urlsafe(9),
        }
        return _changed(good, changes)

    def jwt(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A good token, but for what is changed; ABSENT leaves a claim out."""
        head = _changed({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}, dict(header or {}))
        return self.signed(head, msgspec.json.encode(self.claims(**changes)))

    def signed(self, header: Mapping[str, Any], payload: bytes) -> str:
        """Any header and any payload, under a signature that verifies with the forge's key, whatever the header says."""
        signing_input = f"{encode(msgspec.json.encode(header))}.{encode(payload)}"
        algorithm = jws.JWSRegistry.algorithms[self.algorithm]
        return f"{signing_input}.{encode(algorithm.sign(signing_input.encode(), self.key))}"


def _changed(good: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | dict(changes)).items() if value is not ABSENT}


def _key(algorithm: str) -> Key:
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(2048)
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
    return OKPKey.generate_key("Ed25519")
