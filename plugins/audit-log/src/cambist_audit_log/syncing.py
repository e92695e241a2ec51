"""When lines reach the disk: before the answer, a moment later, or when the system likes."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from .segment import Segment
from .settings import Sync

log = logging.getLogger(__name__)

GROUP = 0.1
"""Seconds for which lines are gathered and then synced together: what a power cut can take (decision 26)."""


class Syncing:
    """Syncs segments in one thread, so that none is synced after it was closed."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, "audit-log")
        self._turn = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._last: Segment | None = None
        self._doubt = False

    def must_wait(self, file: Segment) -> bool:
        """Whether what was just appended to a file has to be settled before the answer; else it will be, in its group."""
        self._last = file
        if self._sync == "always" or self._doubt:
            return True
        if self._sync == "group":
            self._dirty.set()
        return False

    async def in_groups(self) -> None:
        """Sync what was appended, again and again; runs beside the requests."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._last is not None:
                try:
                    await self.settled(self._last)
                except OSError as error:
                    log.error("the audit log could not be synced: %s; until it can, each line is synced before its answer", error)
            await asyncio.sleep(GROUP)

    def retire(self, file: Segment) -> asyncio.Future[None]:
        """Sync a file for the last time, and close it."""
        return asyncio.get_running_loop().run_in_executor(self._thread, self._finished, file)

    def close(self) -> None:
        self._thread.shutdown()

    async def settled(self, file: Segment) -> None:
        """One sync serves all whose lines were there when it began; with `off` nobody waits for any. Raises OSError."""
        if self._sync == "off":
            return
        mine = file.appended
        async with self._turn:
            if file.synced < mine:
                upto = file.appended
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, file.sync)
                except OSError:
                    # The kernel forgets what it could not write, and says so once: the next lines must prove that it works again.
                    self._doubt = True
                    raise
                self._doubt, file.synced = False, upto

    def _finished(self, file: Segment) -> None:
        """In the thread."""
        try:
            file.finish(sync=self._sync != "off")
        except OSError as error:
            self._doubt = self._sync != "off"
            log.error("the audit log could not be synced when it was closed: %s", error)
