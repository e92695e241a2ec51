"""The key-encryption key as operators write it, the bytes that it stands for, and the keys that are derived from it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import AfterValidator, model_validator

from .secret import Secret
from .shape import Field, Shape

VARIABLE = "CAMBIST_KEK"
"""The environment variable that is asked where settings name no KEK."""
MIN_BYTES = 32
HOW = "make one with: openssl rand -hex 32"

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")


def key_material(kek: Secret) -> bytes:
    """The bytes behind the text: hexadecimal where it can be read so, else base64url. Raises ValueError, without the text."""
    text = kek.reveal().strip()
    hexadecimal = _HEX.fullmatch(text) is not None
    if not hexadecimal and not _BASE64URL.fullmatch(text):
        raise ValueError(f"must be base64url or hexadecimal; {HOW}")
    digits = text.rstrip("=")
    size = len(digits) // 2 if hexadecimal else len(digits) * 3 // 4
    # What has no 256 bits cannot protect a key that has (NIST SP 800-57 part 1, section 5.6.1).
    if size < MIN_BYTES:
        raise ValueError(f"must hold at least {MIN_BYTES} bytes, this holds {size}; {HOW}")
    if hexadecimal:
        return bytes.fromhex(digits)
    if len(digits) % 4 == 1:
        raise ValueError(f"is not whole: no base64url text has {len(digits)} characters; {HOW}")
    return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4))


def derived(material: bytes, *, salt: bytes, use: str, size: int = 32) -> bytes:
    """A key for one use alone (RFC 5869, with SHA-256): who has it knows neither the KEK nor the key of another use or salt."""
    return HKDF(hashes.SHA256(), size, salt, use.encode()).derive(material)


def _strong(kek: Secret) -> Secret:
    key_material(kek)
    return kek


Kek = Annotated[Secret, AfterValidator(_strong)]
"""A KEK that can be read and is long enough; whoever reads the settings hears of another kind at once."""


class UnderKek(Shape):
    """Settings of a plugin that keeps something under the KEK; its own come after these."""

    kek: Kek = Field(
        description="The key-encryption key: at least 32 random bytes, as base64url or hexadecimal; "
        "absent: the environment variable CAMBIST_KEK."
    )
    former_keks: tuple[Kek, ...] = Field((), description="What `kek` was before, for reading what was written under it.")

    @model_validator(mode="before")
    @classmethod
    def _kek_of_the_environment(cls, table: Any) -> Any:
        """There is no default: a KEK that everybody knows protects nothing."""
        if not isinstance(table, Mapping) or "kek" in table:
            return table
        if not (kek := os.environ.get(VARIABLE)):
            raise ValueError(f"kek: required, here or as the environment variable {VARIABLE}; {HOW}")
        return {**table, "kek": kek}

    @property
    def keks(self) -> tuple[bytes, ...]:
        """The KEK, and what it was before."""
        return tuple(map(key_material, (self.kek, *self.former_keks)))
