"""Lines for standard error that nobody waits for: a reader that is slow, or stuck, costs lines and never an answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Self

MOST = 10_000
"""Lines that wait to be written; further ones are left out, and counted."""
PAUSE = 0.05
"""Seconds between two writes: a thread that is woken for each line costs more than the line."""
ATOMIC = 4096
"""Bytes that a pipe takes whole (POSIX PIPE_BUF), so that lines of several processes do not mingle. No line is longer."""
PATIENCE = 1.0
"""Seconds that the last lines may take."""


class Lines:
    """An async context manager. What is written within it is with the operating system when it ends, unless nobody reads."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._batches: SimpleQueue[list[bytes] | None] = SimpleQueue()
        self._writing = threading.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._write, name="lines", daemon=True)
        self.left_out = 0

    async def __aenter__(self) -> Self:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._thread.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._batches.put(self._waiting)
        self._batches.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._ended.wait()

    def add(self, line: bytes) -> None:
        """A line, with its end."""
        if len(self._waiting) >= MOST:
            self.left_out += 1
            return
        self._waiting.append(line)
        if self._timer is None:
            self._timer = self._loop.call_later(PAUSE, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        if self._writing.is_set():  # the last ones are not written yet
            self._timer = self._loop.call_later(PAUSE, self._hand_over)
            return
        self._writing.set()
        self._batches.put(self._waiting)
        self._waiting = []

    def _write(self) -> None:
        while (batch := self._batches.get()) is not None:
            for chunk in chunks(batch):
                with contextlib.suppress(OSError):  # whoever read is gone
                    os.write(self._descriptor, chunk)
            self._writing.clear()
        with contextlib.suppress(RuntimeError):  # nobody waited
            self._loop.call_soon_threadsafe(self._ended.set)


def chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """As many whole lines at once as a pipe takes whole."""
    chunk = b""
    for line in lines:
        if chunk and len(chunk) + len(line) > ATOMIC:
            yield chunk
            chunk = b""
        chunk += line
    if chunk:
        yield chunk
