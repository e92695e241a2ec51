"""The key store seam: keys that sign and never leave, and what the world may know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey

from .clock import Clock


@runtime_checkable
class SigningKey(Protocol):
    """A private key at work. `kid` is the RFC 7638 thumbprint of its public half."""

    @property
    def kid(self) -> str: ...
    @property
    def alg(self) -> str: ...
    async def sign(self, message: bytes) -> bytes:
        """The JWS signature (RFC 7518 section 3); raises Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation did: the new key, and from when it signs, in seconds since 1970."""

    rotated: bool
    kid: str
    signs_from: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """What a rotation waits for, in seconds: how long verifiers may keep a key set, and how long a token lives at most in any zone."""

    max_age: float = 300
    lifetime: float = 3600


@runtime_checkable
class KeyStore(Protocol):
    """Keeps the signing keys of all zones. Every method raises Unavailable when it cannot answer."""

    async def signing(self, zone_id: str) -> SigningKey:
        """The key that signs for a zone now; made when there is none yet."""

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        """The public keys of a zone as JWKs: next, current, and retired while a token they signed may be alive."""

    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        """Publish a new key now, and sign with it once every verifier has had time to see it.

        `compromised` does both at once, and withdraws the old one.
        """


@dataclass(frozen=True, slots=True)
class EphemeralKey:
    """An ES256 key that lives as long as the process."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    alg: str = "ES256"

    @classmethod
    def make(cls) -> EphemeralKey:
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(kid=ECKey.import_key(private).thumbprint(), private=private)

    async def sign(self, message: bytes) -> bytes:
        return raw_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())), 32)

    def jwk(self) -> Mapping[str, Any]:
        public = ECKey.import_key(self.private.public_key()).as_dict(private=False)
        return {**public, "kid": self.kid, "use": "sig", "alg": self.alg}


def raw_signature(der: bytes, size: int) -> bytes:
    """ECDSA's DER as the fixed-length R‖S of a JWS (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


class EphemeralKeys:
    """The default: keys in memory, for development and tests. A restart invalidates every token, and a rotation signs at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, list[EphemeralKey]] = {}

    def _of(self, zone_id: str) -> list[EphemeralKey]:
        if zone_id not in self._keys:
            self._keys[zone_id] = [EphemeralKey.make()]
        return self._keys[zone_id]

    async def signing(self, zone_id: str) -> SigningKey:
        return self._of(zone_id)[0]

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(key.jwk() for key in self._of(zone_id))

    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        key = EphemeralKey.make()
        self._keys[zone_id] = [key] if compromised else [key, *self._of(zone_id)]
        return Rotation(rotated=True, kid=key.kid, signs_from=self._clock())
