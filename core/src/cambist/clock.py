"""Now, and how long we wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from .errors import DeadlineExceeded

T = TypeVar("T")

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


async def within(seconds: float, what: str, work: Coroutine[Any, Any, T]) -> T:
    """Bound some work; raises DeadlineExceeded when `seconds` have passed.

    Most work never waits: it is begun at once, and only for what has not ended then is a clock wound up.
    """
    ends = time.monotonic() + seconds
    try:
        awaited = work.send(None)
    except StopIteration as ended:
        result: T = ended.value
    else:
        result = await _bounded(seconds, what, _Begun(work, awaited))
    # It held the loop, or something inside caught the cancellation and went on: it is too late all the same.
    if time.monotonic() > ends:
        raise _exceeded(seconds, what, None)
    return result


class _Begun(Awaitable[T]):
    """The rest of some work that waits for something already."""

    __slots__ = ("_awaited", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._work, self._awaited = work, awaited

    def __await__(self) -> Generator[Any, Any, T]:
        work, awaited = self._work, self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                going_on = partial(work.throw, error)
            else:
                going_on = partial(work.send, sent)
            try:
                awaited = going_on()
            except StopIteration as ended:
                result: T = ended.value
                return result


async def _bounded(seconds: float, what: str, rest: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds) as scope:
            result = await rest
    except TimeoutError as late:
        if not scope.expired():
            raise
        # The cancellation, or what a library made of it.
        raise _exceeded(seconds, what, late.__cause__) from late
    if scope.expired():
        raise _exceeded(seconds, what, None)
    return result


def _exceeded(seconds: float, what: str, cancelled: BaseException | None) -> DeadlineExceeded:
    return DeadlineExceeded(what=what, seconds=seconds, **_waited_for(cancelled))


def _waited_for(cancelled: BaseException | None) -> Mapping[str, str]:
    """The plugin that was at work when time was up, as the fence around it noted; the innermost, if there were several."""
    notes = getattr(cancelled, "__notes__", ())
    return {"plugin": notes[0]} if notes else {}
