"""The key-encryption key as operators write it, and the bytes that it stands for."""

from __future__ import annotations

import base64
import re

from cambist import Secret

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
