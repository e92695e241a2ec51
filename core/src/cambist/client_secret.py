"""An application proves itself by its secret, kept as an Argon2id hash."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping
from urllib.parse import quote, unquote

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .credential import Credential, Unverified
from .errors import CallerUnproved
from .identity import Identity, Proven
from .zone import Application

CLIENT_SECRET = "urn:cambist:token-type:client-secret"  # a name, not a secret
MEMORY = 4096
"""How many proved secrets are remembered, so that Argon2 is paid once for each."""

_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
_NOBODY = f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}${{}}${{}}".format(
    *(base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (_HASHER.salt_len, _HASHER.hash_len))
)
"""A hash of no secret that anybody knows: to hold a secret against it takes as long as against any other."""


def credential_text(client_id: str, secret: str) -> str:
    """Id and secret as one text: the user-pass of RFC 6749 section 2.3.1."""
    return f"{quote(client_id, safe='')}:{quote(secret, safe='')}"


def hash_secret(secret: str) -> str:
    return _HASHER.hash(secret)


class ClientSecretValidator:
    """Judges client secrets. Unknown application and wrong secret take as long and say the same."""

    token_types = frozenset({CLIENT_SECRET})
    issuers = None

    def __init__(self, issuer: str, applications: Mapping[str, Application]) -> None:
        self._issuer = issuer
        self._hashes = {name: app.secret_hash.reveal() for name, app in applications.items() if app.secret_hash}
        self._pepper = secrets.token_bytes(32)
        self._proved: dict[bytes, None] = {}
        self._turn = asyncio.Semaphore(2)  # each derivation takes 64 MiB: a flood of guesses must queue, not multiply

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        client_id, _, secret = (unquote(part) for part in credential.token.partition(":"))
        stored = self._hashes.get(client_id)
        if not await self._matches(stored or _NOBODY, secret) or stored is None:
            raise CallerUnproved(client_id=client_id)
        return Proven(identity=Identity(issuer=self._issuer, subject=client_id), expires_at=math.inf)

    async def _matches(self, stored: str, secret: str) -> bool:
        # What is remembered is a keyed digest, which is worth nothing outside this process; a changed hash misses by itself.
        memory = hmac.digest(self._pepper, f"{stored}\0{secret}".encode(), hashlib.sha256)
        if memory in self._proved:
            return True
        async with self._turn:
            matches = await asyncio.to_thread(_verify, stored, secret)
        if matches:
            if len(self._proved) >= MEMORY:
                self._proved.pop(next(iter(self._proved)))
            self._proved[memory] = None
        return matches


def _verify(stored: str, secret: str) -> bool:
    try:
        return _HASHER.verify(stored, secret)
    except (VerificationError, InvalidHashError):
        return False
