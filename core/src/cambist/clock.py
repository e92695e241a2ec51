"""Now, and how long we wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from .errors import DeadlineExceeded

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time`."""


BELIEVED = 2 * 86_400.0
"""Seconds for which a clock must have been ahead before it is believed: a leap has been noticed by then, or was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What time it is at least, `now`, when a clock that nobody sets says `at`: what is forgotten by it outlives a leap of the clock.

    The clock has been ahead of it since `since`, by `ahead` or more. Four numbers, so that it can be kept where a new process finds it.
    """

    now: float
    at: float
    ahead: float = 0.0
    since: float = 0.0

    def later(self, clock: float, at: float) -> Reckoning:
        """The same at another moment: never more than the time that has passed, and a clock that is set back is followed at once."""
        now = self.now + max(0.0, at - self.at)  # a machine that starts anew counts from 0, and nobody knows how long it was off
        ahead = clock - now
        if ahead <= 0:
            return Reckoning(now=clock, at=at)
        if not self.ahead or at < self.since:
            return Reckoning(now=now, at=at, ahead=ahead, since=at)
        least = min(self.ahead, ahead)
        if at - self.since < BELIEVED:
            return Reckoning(now=now, at=at, ahead=least, since=self.since)
        return Reckoning(now=now + least, at=at, ahead=ahead - least, since=at)


class Steady:
    """A clock that goes by a reckoning. `passed` is a clock that nobody sets, as `time.monotonic`."""

    def __init__(self, clock: Clock, passed: Clock = time.monotonic) -> None:
        self._clock, self._passed = clock, passed
        self._known = Reckoning(now=clock(), at=passed())

    def __call__(self) -> float:
        self._known = self._known.later(self._clock(), self._passed())
        return self._known.now


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
