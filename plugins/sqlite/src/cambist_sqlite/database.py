"""One open file, and how work is done on it.

There is one connection, and it works on the event loop: a write there is shorter than a hop to a thread. It commits without
waiting for the disk (WAL, synchronous=NORMAL), which survives a killed process; what must survive a power cut waits after that,
and everything else is brought to the disk a second later.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from cambist import Unavailable

from . import schema
from .faults import WHAT, is_busy, unavailable
from .file import connect, identity
from .settling import Settling
from .usage import is_there, shared

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

OPENING = 5.0
"""For how many seconds a process waits while others make the same file."""

PAUSE = 0.001
"""Seconds between two tries: SQLite's own waiting sleeps up to 100 ms at a time, and holds up the event loop."""


class Database:
    """Runs work on the file. `patience` is how long one call may wait for other writers, in seconds.

    Work is done whole or not at all, and may be tried more than once. Everything raises Unavailable.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self.path, self._patience = path, patience
        self._folded = 0

    async def __aenter__(self) -> Self:
        with ExitStack() as opened:
            opened.enter_context(shared(self.path))
            self.connection = await self._patiently(lambda: connect(self.path), OPENING)
            opened.callback(self.connection.close)
            self._file = identity(self.path)
            await self._patiently(lambda: schema.prepare(self.connection), OPENING)
            self._noted()
            self.settling = await self._patiently(lambda: Settling(self.path), OPENING)
            opened.callback(self.settling.close)
            self._closing = opened.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._closing.close()

    async def run(self, work: Work[T], patience: float | None = None) -> T:
        """What comes of the work. When it returns, what was written survives a killed process."""
        return await self._patiently(lambda: self._checked(work), self._patience if patience is None else patience)

    async def run_durably(self, work: Work[T]) -> T:
        """The same; when it returns, what was written survives a power cut."""
        done = await self.run(work)
        await self.settling.settled()
        return done

    async def fold(self) -> None:
        """Bring what was written since the last time to the disk, and back into the file."""
        if (changes := self.connection.total_changes) != self._folded and await self.settling.fold():
            self._folded = changes

    def _noted(self) -> None:
        try:
            is_there(self.path)
        except OSError as error:
            raise Unavailable(what=WHAT, cause=f"its lock cannot be written: {error.strerror}", path=str(self.path)) from error

    def _checked(self, work: Work[T]) -> T:
        """A file that was moved away still answers, but beside it another may have begun, that knows nothing of its marks."""
        self.settling.trust()
        if identity(self.path) != self._file:
            raise Unavailable(what=WHAT, cause="another file has taken the place of the one that is open: start again", path=str(self.path))
        return work(self.connection)

    async def _patiently(self, attempt: Callable[[], T], patience: float) -> T:
        """What comes of an attempt, made again while others write."""
        clock = asyncio.get_running_loop().time
        until = clock() + patience
        while True:
            try:
                return attempt()
            except sqlite3.Error as error:
                if not is_busy(error) or clock() >= until:
                    raise unavailable(error) from error
            await asyncio.sleep(PAUSE)
