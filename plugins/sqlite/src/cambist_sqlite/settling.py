"""Bringing to the disk what was committed, beside the event loop.

A commit with synchronous=FULL would wait for the disk too, but each by itself, and with the file locked meanwhile. Here one
fsync serves all who wait: the write-ahead log holds no locks of its own, so that we may have a descriptor of it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cambist import Unavailable

from .faults import WHAT, unavailable
from .file import connect, open_log

T = TypeVar("T")

PATIENCE = 5.0
"""For how many seconds one call waits for the disk."""

YIELD = 250
"""Milliseconds in which a gap between two writers is looked for."""

LONG = 1_000
"""Pages (4 MB) after which the log is to begin anew."""


class Settling:
    """Syncs and folds back the write-ahead log of one file, in threads."""

    def __init__(self, path: Path) -> None:
        """Raises Unavailable, sqlite3.Error."""
        self._connection = connect(path)
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {YIELD}")
            self._log = open_log(path)
        except BaseException:
            self._connection.close()
            raise
        self._threads = ThreadPoolExecutor(2, "sqlite")  # so that who waits for an fsync does not wait for the folding too
        self._turn = asyncio.Lock()
        self._asked = self._settled = 0
        self._broken: Exception | None = None

    def close(self) -> None:
        self._threads.shutdown()
        self._connection.close()
        os.close(self._log)

    def trust(self) -> None:
        """Raises Unavailable once the disk has failed: the kernel forgets what it could not write, and the next fsync says all is well."""
        if self._broken is not None:
            raise Unavailable(what=WHAT, cause="the disk failed: see that it is sound, then start again") from self._broken

    async def settled(self) -> None:
        """Return when everything that was committed before this call survives a power cut. Raises Unavailable."""
        self._asked += 1
        mine = self._asked
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                if self._settled < mine:
                    await self._sync()
        except TimeoutError as error:
            raise Unavailable(what=WHAT, cause="the disk does not answer") from error

    async def fold(self) -> bool:
        """Sync the log, and copy it back into the file; False: another process is at it.

        Raises Unavailable; then the log goes on growing, and nothing is lost.
        """
        try:
            return await self._in_thread(self._fold)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_FSYNC:
                self._broken = error
            raise unavailable(error) from error

    def _fold(self) -> bool:
        """Twice beside the writers, who go on; then, for the few pages that came meanwhile, they must wait for a moment.

        Without that the log of a busy store would never be wholly folded back, and grow.
        """
        others = []
        for mode in ("PASSIVE", "PASSIVE", "FULL"):
            busy, pages, _ = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            others.append(busy)
            if pages < LONG:
                break
        return not all(others)

    async def _sync(self) -> None:
        asked = self._asked
        try:
            await self._in_thread(lambda: os.fsync(self._log))
        except OSError as error:
            self._broken = error
        self.trust()
        self._settled = asked

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
