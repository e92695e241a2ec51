"""A token that was verified: what an API may decide by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """What a good token says. `actors` are who acts for the subject, the latest first; `expires_at` is in seconds since 1970.

    All names are workload identifiers of the issuer. The token itself is not in here: what is logged of this value opens nothing.
    """

    issuer: str
    zone: str
    subject: str
    actors: tuple[str, ...] = ()
    client_id: str
    audience: frozenset[str]
    scope: frozenset[str] = frozenset()
    expires_at: float
    token_id: str
    claims: Mapping[str, Any] = field(repr=False, compare=False)
