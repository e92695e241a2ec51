"""What a key looks like, so that typos are told at once and secret scanners know it: `cbk_<id>_<secret><checksum>`."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from dataclasses import dataclass

from cambist import CredentialMalformed, Secret

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 12
SECRET_LENGTH = 43
"""43 characters of 62 are more than 256 bits."""

SHAPE = re.compile(r"cbk_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key: its id, which may be shown, and its secret, which may not."""

    id: str
    secret: Secret

    @classmethod
    def fresh(cls) -> ApiKey:
        return cls(id=_random(ID_LENGTH), secret=Secret(_random(SECRET_LENGTH)))

    @classmethod
    def parse(cls, text: str) -> ApiKey:
        """Raises CredentialMalformed for what is no key, or a mistyped one."""
        if (parts := SHAPE.fullmatch(text)) is None:
            raise CredentialMalformed("an API key looks like cbk_<12 characters>_<49 characters>")
        key = cls(id=parts[1], secret=Secret(parts[2]))
        # The checksum is no secret and proves nothing: it finds typos, and tells scanners a key from what only looks like one.
        if _checksum(parts[1], parts[2]) != parts[3]:
            raise CredentialMalformed("the checksum of the API key is wrong: it was cut off or mistyped")
        return key

    def text(self) -> Secret:
        """The whole key, as its holder presents it."""
        secret = self.secret.reveal()
        return Secret(f"cbk_{self.id}_{secret}{_checksum(self.id, secret)}")


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(key_id: str, secret: str) -> str:
    """CRC-32 in six characters: it sees every change of one character."""
    rest, digits = zlib.crc32(f"cbk_{key_id}_{secret}".encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
