"""Tokens that were issued and are still good."""

from __future__ import annotations

from .token import IssuedToken

MOST = 1000
RETRY = 5.0
"""After a renewal that failed, the old token serves for so many seconds before the next one is tried."""


class Kept:
    """By what was asked, and by whom. Of more than MOST the oldest go."""

    def __init__(self) -> None:
        self._tokens: dict[str, IssuedToken] = {}
        self._failed: dict[str, float] = {}

    def find(self, key: str, now: float) -> IssuedToken | None:
        token = self._tokens.get(key)
        return token if token is not None and token.is_good(now) else None

    def is_due(self, key: str, token: IssuedToken, now: float) -> bool:
        return token.is_due(now) and not 0 <= now - self._failed.get(key, -RETRY) < RETRY

    def keep(self, key: str, token: IssuedToken) -> None:
        self.drop(key)
        if len(self._tokens) >= MOST:
            self.drop(next(iter(self._tokens)))
        self._tokens[key] = token

    def failed(self, key: str, now: float) -> bool:
        """Whether there was a token to renew."""
        if key in self._tokens:
            self._failed[key] = now
            return True
        return False

    def drop(self, key: str) -> None:
        self._tokens.pop(key, None)
        self._failed.pop(key, None)

    def clear(self) -> None:
        self._tokens.clear()
        self._failed.clear()
