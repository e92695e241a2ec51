"""What the KEK does to one file: encrypts each private key, and seals the whole so that no byte can be changed unseen."""

from __future__ import annotations

import hmac
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cambist.kek import derived

from .algorithm import PrivateKey, thumbprint

PURPOSE = "cambist keys-file 1"
SALT_BYTES = 32
_NONCE_BYTES = 12


class NotOpened(Exception):
    """A private key cannot be decrypted, or is not the one it should be."""


class Sealing:
    """The keys that are derived from the KEK for one file (RFC 5869), by the file's salt."""

    __slots__ = ("_aead", "_seal", "check")

    def __init__(self, kek: bytes, salt: bytes) -> None:
        self._aead = AESGCM(derived(kek, salt=salt, use=f"{PURPOSE} wrap"))
        self._seal = derived(kek, salt=salt, use=f"{PURPOSE} seal")
        self.check = derived(kek, salt=salt, use=f"{PURPOSE} check", size=8)
        """Tells one KEK from another, and tells nothing about it."""

    def seal(self, document: bytes) -> bytes:
        return hmac.digest(self._seal, document, "sha256")

    def wrap(self, private: PrivateKey, *, zone: str, kid: str, alg: str) -> bytes:
        """A private key, encrypted and bound to its place: in another zone, or under another name, it does not open."""
        der = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, der, _bound_to(zone, kid, alg))

    def again(self, wrapped: bytes, other: Sealing, *, zone: str, kid: str, alg: str) -> bytes:
        """A private key that another sealing encrypted, encrypted by this one. Raises NotOpened."""
        return self.wrap(other.unwrap(wrapped, zone=zone, kid=kid, alg=alg), zone=zone, kid=kid, alg=alg)

    def unwrap(self, wrapped: bytes, *, zone: str, kid: str, alg: str) -> PrivateKey:
        """Raises NotOpened."""
        try:
            der = self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound_to(zone, kid, alg))
            # Authenticated, so it is a key that we made; to check an RSA key anew takes 40 ms of the event loop.
            private = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
        except (InvalidTag, ValueError) as error:
            raise NotOpened(f"key {kid} cannot be decrypted") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey) or thumbprint(private) != kid:
            raise NotOpened(f"key {kid} is another key")
        return private


def _bound_to(zone: str, kid: str, alg: str) -> bytes:
    return msgspec.json.encode([PURPOSE, zone, kid, alg])
