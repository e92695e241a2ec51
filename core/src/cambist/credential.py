"""What a caller hands over, what is written on it, and which keys the request proved to hold."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import field

from .compact import Compact
from .value import Value


class Role(StrEnum):
    """What a credential is presented for."""

    SUBJECT = "subject"
    ACTOR = "actor"
    CLIENT = "client"


class Possession(Value, frozen=True, kw_only=True):
    """Keys that this request proved to hold, proved once for all its credentials."""

    thumbprints: frozenset[str] = frozenset()


NOTHING = Possession()


class Unverified(Value, frozen=True, kw_only=True):
    """What is written on a credential, without the credential: good for finding its validator, and for nothing else."""

    UNSEEN = frozenset({"claims"})

    token_type: str
    issuer: str | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)


class Credential(Value, frozen=True, kw_only=True):
    """A token with its declared type (canonical, and as the caller wrote it) and the role it is presented in; unproven.

    `parts` are those of a JWT, where it was taken apart already.
    """

    UNSEEN = frozenset({"token", "parts"})

    token: str
    token_type: str
    role: Role
    wire_type: str = ""
    possession: Possession = NOTHING
    parts: Compact | None = None

    def apart(self) -> Compact | None:
        """Its parts, if it looks like a JWT. Raises CredentialMalformed when it is none then."""
        return self.parts or Compact.found(self.token)

    def unverified(self) -> Unverified:
        """Raises CredentialMalformed when it looks like a JWT but is not one."""
        return envelope(self.token_type, self.apart())


def envelope(token_type: str, parts: Compact | None) -> Unverified:
    """What is written on a credential of a type, with these parts if it is a JWT."""
    if parts is None:
        return Unverified(token_type=token_type)
    return Unverified(token_type=token_type, issuer=parts.issuer, header=parts.header, claims=parts.claims)
