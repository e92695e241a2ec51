"""A clock that stands until it is moved."""

from __future__ import annotations

NOON = 1_800_014_400.0
"""2027-01-15T12:00:00Z, the moment at which the attack corpora were made."""


class MovableClock:
    """Seconds since 1970, as the test says."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds
