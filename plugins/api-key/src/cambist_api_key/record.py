"""What the store keeps of a key: everything but its secret."""

from __future__ import annotations

import hmac
from typing import Literal

import msgspec

from cambist import Secret, Unavailable

from .key import ApiKey

VERSION: Literal[1] = 1


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key as it is kept. Times are in whole seconds since 1970; `digest` is None once the key is revoked."""

    version: Literal[1]
    id: str
    owner: str
    subject: str
    scopes: tuple[str, ...]
    created: int
    expires: int
    digest: bytes | None = None
    revoked: int | None = None

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)


def decoded(raw: bytes, key_id: str) -> Record:
    """Raises Unavailable for what this version cannot read: it may hold a bound that would be overlooked."""
    try:
        return msgspec.json.decode(raw, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(what="an API key", cause=f"the record of key {key_id} is damaged or of another version") from error


def digest(pepper: Secret, zone: str, key: ApiKey, record: Record) -> bytes:
    """HMAC-SHA-256 of the key and of what it is good for.

    So who can write to the store can neither make a key nor widen, prolong, rename or move one to another zone.
    A slow hash would add nothing: the secret is 256 random bits, not a password (NIST SP 800-63B-4 section 3.1.2.2).
    """
    bound = ["cambist api-key", VERSION, zone, key.id, key.secret.reveal()]
    terms = [record.owner, record.subject, record.scopes, record.created, record.expires]
    return hmac.digest(pepper.reveal().encode(), msgspec.json.encode([*bound, *terms]), "sha256")
