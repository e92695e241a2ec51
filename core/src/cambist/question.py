"""What a policy is asked, as the one JSON document that every backend and every rule is written against.

Its version changes when a member changes its meaning or goes; new members may come without. What the caller merely
claims stands under `request`; everything else was proved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody who was proved. `id` is the name in tokens of this zone; `attributes` are what the issuer says, and no more than that."""

    id: str
    issuer: str
    subject: str
    token_type: str | None = None
    expires_at: int | None = None
    audience: list[str] | None = None
    scope: list[str] | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who calls. `application` is false where the subject's own credential authenticated the call."""

    id: str
    method: str
    application: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One target. `scopes` are those that the operator declared for it, null where none are declared."""

    id: str
    declared: bool
    scopes: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The one HTTP action that the token is for."""

    htm: str
    htu: str
    nonce: str
    payload_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDocument:
    """What the caller asked for. `ttl` is in seconds."""

    grant_type: str
    targets: list[Asked]
    scope: list[str]
    requested_token_type: str | None = None
    ttl: int | None = None
    execution_scope: Execution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The whole document. `now` is in seconds since 1970; `chain` holds earlier actors, latest first: history, not authority."""

    version: Literal[1]
    zone: str
    now: int
    subject: Party
    actor: Party | None
    chain: list[Party]
    client: Client
    request: RequestDocument


def seconds(moment: float) -> int | None:
    """A time as JSON can say it; null where there is no end."""
    return None if math.isinf(moment) else math.floor(moment)
