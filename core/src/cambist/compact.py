"""A compact JWS, taken apart strictly, before anything in it is believed."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from . import strictjson
from .errors import CredentialMalformed
from .value import Value

# Before any parsing, so that no other serialisation hides in it (RFC 8725bis section 3.14).
_SHAPE = re.compile(r"[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++")
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*+")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_LAST = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
"""What may come last when two or three characters are over: the bits that stand for nothing are zero."""
_SHORT = 512
"""The longest header that is remembered."""


class Jws(Value, frozen=True):
    """The parts of a JWS in compact serialization (RFC 7515 section 7.1); of the payload nothing is known but its bytes."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Jws:
        """Raises CredentialMalformed unless it is exactly three canonical parts, the first a JSON object."""
        if not looks_compact(text):
            raise _no_jws()
        return cls.of_parts(text)

    @classmethod
    def of_parts(cls, text: str) -> Jws:
        """As `parse`, of a text that looks like one."""
        head, body, last = text.split(".")
        signature = _decoded(last)
        known = _texts(head) if len(head) <= _SHORT else None
        header = _object(_decoded(head), "header") if known is None else dict(known)
        return cls(header, _decoded(body), text[: -len(last) - 1].encode(), signature)


class Compact(Value, frozen=True):
    """A JWT: a JWS whose payload is a JSON object."""

    text: str
    jws: Jws
    claims: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Compact:
        """Raises CredentialMalformed unless it is a JWS in compact serialization with a JSON object within."""
        if (found := cls.found(text)) is None:
            raise _no_jws()
        return found

    @classmethod
    def found(cls, text: str) -> Compact | None:
        """As `parse`; None for a text that does not look like one at all."""
        if not looks_compact(text):
            return None
        jws = Jws.of_parts(text)
        return cls(text, jws, _object(jws.payload, "payload"))

    @property
    def header(self) -> Mapping[str, Any]:
        return self.jws.header

    @property
    def issuer(self) -> str | None:
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


def looks_compact(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def _no_jws() -> CredentialMalformed:
    return CredentialMalformed("a JWT is three base64url parts separated by dots")


def base64url(text: str) -> bytes:
    """Decode base64url without padding; one byte string has one spelling (RFC 7515 section 2).

    A decoder that ignores the unused last bits gives one signature several spellings, and defeats whatever
    remembers tokens by their text.
    """
    if not _ALPHABET.fullmatch(text):
        raise CredentialMalformed("not base64url")
    return _decoded(text)


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode()


def encoded_size(size: int) -> int:
    """Characters that `encode` makes of so many bytes."""
    return -(-size * 4 // 3)


def _decoded(text: str) -> bytes:
    """As `base64url`, of a text that has no other characters."""
    over = len(text) % 4
    if over == 1:
        raise CredentialMalformed("not base64url")
    if over and text[-1] not in _LAST[over]:
        raise CredentialMalformed("not canonical base64url")
    return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-over % 4))


@lru_cache(256)
def _texts(part: str) -> Mapping[str, str] | None:
    """A header, if there is nothing but text in it: an issuer writes the same one into all its tokens."""
    header = _object(_decoded(part), "header")
    return header if all(type(value) is str for value in header.values()) else None


def _object(raw: bytes, what: str) -> Mapping[str, Any]:
    try:
        value = strictjson.loads(raw)
    except strictjson.NotStrict as error:
        raise CredentialMalformed(f"the {what} is {error}") from error
    if not isinstance(value, dict):
        raise CredentialMalformed(f"the {what} is not a JSON object")
    return value
