"""A token that was issued, and how long it is good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EARLY = 0.2
"""With less than this part of its lifetime left, a token is renewed; the old one serves meanwhile."""
LAST = 5.0
"""With fewer seconds than this left, a token is not handed out any more: it must still arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """An access token of the service. Times are seconds since 1970; `scope` is None where the answer did not say."""

    access_token: str = field(repr=False)
    token_type: str
    issued_token_type: str | None = None
    scope: frozenset[str] | None = None
    issued_at: float
    expires_at: float
    decision_id: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def authorization(self) -> str:
        """The value of the header `Authorization`."""
        return f"{self.token_type} {self.access_token}"

    def is_good(self, now: float) -> bool:
        """Not by a clock that was set back to before it was issued: that clock does not tell when it ends."""
        return self.issued_at <= now < self.expires_at - LAST

    def is_due(self, now: float) -> bool:
        """Whether it is time to renew it."""
        return now >= self.expires_at - max(LAST, EARLY * (self.expires_at - self.issued_at))
