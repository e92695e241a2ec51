"""The signature algorithms: how to make a key, how to sign with it as a JWS does, and what of it is public."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from cambist.keys import raw_signature

AlgorithmName = Literal["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey

PUBLIC = frozenset({"kty", "crv", "x", "y", "n", "e"})
"""The members of a JWK that may be seen (RFC 7518 sections 6.2.1 and 6.3.1, RFC 8037 section 2)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm. `slow` means: longer than a hop to a thread, so it must not hold up the event loop."""

    make: Callable[[], PrivateKey]
    sign: Callable[[Any, bytes], bytes]
    slow: bool = False


def public_jwk(private: PrivateKey) -> Mapping[str, str]:
    """The public half of a key, and nothing else, as a JWK without `kid`."""
    members = _jose(private).as_dict(private=False)
    return {name: str(value) for name, value in members.items() if name in PUBLIC}


def thumbprint(private: PrivateKey) -> str:
    """RFC 7638 section 3, with SHA-256."""
    return _jose(private).thumbprint()


def _jose(private: PrivateKey) -> Key:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return ECKey.import_key(private.public_key())
    if isinstance(private, rsa.RSAPrivateKey):
        return RSAKey.import_key(private.public_key())
    return OKPKey.import_key(private.public_key())


_ECDSA_256, _ECDSA_384 = ec.ECDSA(hashes.SHA256()), ec.ECDSA(hashes.SHA384())


def _es256(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return raw_signature(private.sign(message, _ECDSA_256), 32)


def _es384(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return raw_signature(private.sign(message, _ECDSA_384), 48)


def _rs256(private: rsa.RSAPrivateKey, message: bytes) -> bytes:
    return private.sign(message, padding.PKCS1v15(), hashes.SHA256())


def _ps256(private: rsa.RSAPrivateKey, message: bytes) -> bytes:
    # RFC 7518 section 3.5: the salt is as long as the hash.
    return private.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256())


def _ed25519(private: Ed25519PrivateKey, message: bytes) -> bytes:
    return private.sign(message)


def _rsa_2048() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


ALGORITHMS: Mapping[str, Algorithm] = {
    "ES256": Algorithm(lambda: ec.generate_private_key(ec.SECP256R1()), _es256),
    "ES384": Algorithm(lambda: ec.generate_private_key(ec.SECP384R1()), _es384),
    "RS256": Algorithm(_rsa_2048, _rs256, slow=True),
    "PS256": Algorithm(_rsa_2048, _ps256, slow=True),
    "EdDSA": Algorithm(Ed25519PrivateKey.generate, _ed25519),
    "Ed25519": Algorithm(Ed25519PrivateKey.generate, _ed25519),  # the fully specified name of the same (RFC 9864 section 2.2)
}
