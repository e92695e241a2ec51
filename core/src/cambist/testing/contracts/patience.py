"""How long a plugin may take, and how long it may keep everybody else waiting meanwhile."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

PATIENCE = 2.0
"""How long one answer may take, in seconds."""
HOLD = 0.05
"""How long the event loop may be held, in seconds: everybody waits meanwhile."""
LIMIT = 10.0
"""How long the event loop can be held, in seconds, until the test is ended."""
AGAIN = 0.05
"""How long until the alarm rings again where nobody would have heard it, in seconds."""
_UNHEARD = frozenset({"_remove", "__del__"})
"""Callbacks of weak references and finalizers: what is raised there ends nothing."""
TRIES = 5
"""How often is measured: what else runs on the machine can hold the loop too, but not each time."""
CLEARLY = 1.0
"""What holds the loop for so long, in seconds, needs no second measurement."""


class HeldForEver(BaseException):
    """What is tested does not give the event loop back."""

    def __init__(self) -> None:
        super().__init__(f"it held the event loop for {LIMIT:g} seconds, and would not have stopped")


@contextmanager
def bounded() -> Iterator[None]:
    """Ends whoever does not give the event loop back, by HeldForEver, where a thread can be interrupted; other alarms still come."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    began, before = time.monotonic(), signal.signal(signal.SIGALRM, _end)
    pending, _ = signal.setitimer(signal.ITIMER_REAL, LIMIT, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if pending:
            signal.setitimer(signal.ITIMER_REAL, max(pending - (time.monotonic() - began), 0.001))


def _end(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name in _UNHEARD:
            return
        frame = frame.f_back
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise HeldForEver


async def shortest_hold(work: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """How long nobody else could run while something was done, in seconds; the least of some tries."""
    held = float("inf")
    for _ in range(TRIES):
        held = min(held, await _longest_hold(work()))
        if held < HOLD or held > CLEARLY:
            break
    return held


async def _longest_hold(work: Coroutine[Any, Any, object]) -> float:
    longest, done = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await work
    done = True
    await ticking
    return longest
