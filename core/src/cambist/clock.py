"""Now, and how long we wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from .errors import DeadlineExceeded

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time`."""


class Steady:
    """Now, but never more than the time that has passed: what is forgotten by it outlives a clock that leaps ahead and comes back.

    A clock that is set back is followed at once. `passed` is a clock that nobody sets, as `time.monotonic`.
    """

    def __init__(self, clock: Clock, passed: Clock = time.monotonic) -> None:
        self._clock, self._passed = clock, passed
        self._now, self._at = clock(), passed()

    def __call__(self) -> float:
        at = self._passed()
        self._now, self._at = min(self._clock(), self._now + at - self._at), at
        return self._now


class within:  # noqa: N801 - it reads as the word that it is: `async with within(5, "the decision"):`
    """Bound a block of work; raises DeadlineExceeded when `seconds` have passed.

    A class and no generator: it surrounds every step that waits, and costs half as much so.
    """

    __slots__ = ("_ends", "_loop", "_scope", "_seconds", "_what")

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds, self._what = seconds, what

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + self._seconds
        self._scope = asyncio.timeout_at(self._ends)
        await self._scope.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        try:
            await self._scope.__aexit__(kind, error, where)
        except TimeoutError as late:
            raise self._exceeded(late.__cause__) from late
        if self._scope.expired() and isinstance(error, TimeoutError):
            raise self._exceeded(error.__cause__) from error
        # Something inside caught the cancellation and went on, or held the loop so that there was none: it is too late all the same.
        if error is None and (self._scope.expired() or self._loop.time() > self._ends):
            raise self._exceeded(None)

    def _exceeded(self, cancelled: BaseException | None) -> DeadlineExceeded:
        return DeadlineExceeded(what=self._what, seconds=self._seconds, **_waited_for(cancelled))


def _waited_for(cancelled: BaseException | None) -> Mapping[str, str]:
    """The plugin that was at work when time was up, as the fence around it noted; the innermost, if there were several."""
    notes = getattr(cancelled, "__notes__", ())
    return {"plugin": notes[0]} if notes else {}
