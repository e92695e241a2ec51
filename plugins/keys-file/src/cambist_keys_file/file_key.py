"""A private key at work: it signs, and shows nothing but its name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from .algorithm import ALGORITHMS, PrivateKey


@dataclass(frozen=True, slots=True)
class FileKey:
    """A `SigningKey` whose private half was read from a file."""

    kid: str
    alg: str
    _private: PrivateKey = field(repr=False, compare=False)

    async def sign(self, message: bytes) -> bytes:
        """The JWS signature of a message (RFC 7518 section 3)."""
        algorithm = ALGORITHMS[self.alg]
        # Elliptic curves take 30 to 250 µs, hardly more than a hop to a thread; RSA takes 700 and more.
        if algorithm.slow:
            return await asyncio.to_thread(algorithm.sign, self._private, message)
        return algorithm.sign(self._private, message)
