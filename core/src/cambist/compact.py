"""A compact JWS, taken apart strictly, before anything in it is believed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import strictjson
from .errors import CredentialMalformed

# Before any parsing, so that no other serialisation hides in it (RFC 8725bis section 3.14).
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Compact:
    """The three parts of a JWS in compact serialization (RFC 7515 section 7.1)."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Compact:
        """Raises CredentialMalformed unless it is exactly three canonical parts, the first two JSON objects."""
        if not _SHAPE.fullmatch(text):
            raise CredentialMalformed("a JWT is three base64url parts separated by dots")
        head, body, signature = text.split(".")
        base64url(signature)
        return cls(text, _object(head, "header"), _object(body, "payload"))

    @cached_property
    def issuer(self) -> str | None:
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


def looks_compact(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def base64url(text: str) -> bytes:
    """Decode base64url without padding; one byte string has one spelling (RFC 7515 section 2).

    A decoder that ignores the unused last bits gives one signature several spellings, and defeats whatever
    remembers tokens by their text.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CredentialMalformed("not base64url") from error
    if encode(raw) != text:
        raise CredentialMalformed("not canonical base64url")
    return raw


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _object(part: str, what: str) -> Mapping[str, Any]:
    try:
        value = strictjson.loads(base64url(part))
    except strictjson.NotStrict as error:
        raise CredentialMalformed(f"the {what} is {error}") from error
    if not isinstance(value, dict):
        raise CredentialMalformed(f"the {what} is not a JSON object")
    return value
