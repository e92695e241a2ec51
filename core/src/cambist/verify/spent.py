"""What was used once, and must not be used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Spent(Protocol):
    """A store that all processes of an API share: in Redis it is one `SET key 1 NX EXAT expires_at`."""

    async def spend(self, key: str, expires_at: float) -> bool:
        """True the first time, False ever after until `expires_at` (seconds since 1970), for all processes together.

        Whatever it raises refuses the request.
        """


class SpentHere:
    """Remembers in this process: for an API that is one process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._swept = clock()

    async def spend(self, key: str, expires_at: float) -> bool:
        now = self._clock()
        if now - self._swept >= 60:
            self._swept = now
            self._ends = {name: end for name, end in self._ends.items() if end > now}
        if self._ends.get(key, now) > now:
            return False
        self._ends[key] = expires_at
        return True
