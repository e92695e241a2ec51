"""The store seam over one SQLite file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cambist import Mark, Unavailable

from . import entries, marks
from .database import OPENING, Database
from .reckoning import reckon
from .schema import touch
from .settings import SqliteSettings
from .sweep import TABLES, sweep

if TYPE_CHECKING:
    import click

log = logging.getLogger(__name__)

FOLDING = 1.0
"""Seconds after which a mark is on the disk too: what a power cut can take."""


class SqliteStore:
    """Keeps marks and values; see `cambist.Store`. Any number of processes of one machine may have it open on the same file.

    `clock` says seconds since 1970, `background` runs the sweep while the store is open.
    """

    def __init__(
        self,
        settings: SqliteSettings,
        clock: Callable[[], float],
        background: Callable[[str, Coroutine[Any, Any, None]], None],
    ) -> None:
        self.database = Database(settings.path, settings.busy_timeout / 1000)
        self._interval, self._clock, self._background = settings.sweep, clock, background

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.database)
            await self._reckoned(OPENING)
            self._closing = stack.pop_all()
        self._background("fold", _again(FOLDING, self.database.fold))
        self._background("sweep", _again(self._interval, self.sweep))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self._closing.aclose()

    # ── the seam ────────────────────────────────────────────────────────────────────────────────────────

    async def claim(self, wanted: Sequence[Mark]) -> Mark | None:
        return await self.database.run(partial(marks.claim, wanted=wanted))

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return await self.database.run(partial(entries.get, keys=keys, now=self._clock()))

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await self.database.run_durably(partial(entries.put, key=key, value=value, ends=self._end(ttl)))

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        work = partial(entries.swap, key=key, expected=expected, value=value, ends=self._end(ttl), now=self._clock())
        return await self.database.run_durably(work)

    async def count(self, key: str, *, ttl: float) -> int:
        return await self.database.run(partial(entries.count, key=key, ends=self._clock() + ttl, now=self._clock()))

    async def delete(self, key: str) -> None:
        await self.database.run_durably(partial(entries.delete, key=key))

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        after: str | None = None
        while found := await self.database.run(partial(entries.page, prefix=prefix, after=after, now=self._clock())):
            for after, value in found:
                yield after, value

    # ── beside the requests ─────────────────────────────────────────────────────────────────────────────

    async def ping(self) -> None:
        """Writes: a store that can only be read is not ready. Raises Unavailable."""
        await self.database.run(touch)

    def command(self) -> click.Command:
        from .command import store  # noqa: PLC0415  # click belongs to the command line; a service does without it

        return store(self.database.path)

    async def sweep(self) -> None:
        """Remove everything that has expired. Raises Unavailable.

        Not by a clock that has just leaped ahead: when it comes back, what was spent would be good again.
        """
        now = await self._reckoned()
        for table in TABLES:
            first: bytes | None = b""
            while first is not None:
                first = await self.database.run(partial(sweep, table=table, first=first, now=now))
                await asyncio.sleep(0)  # whoever waits for the event loop goes first

    async def _reckoned(self, patience: float | None = None) -> float:
        """What time it is at least. `monotonic` counts from the start of the machine, and so is one for all processes."""
        return await self.database.run(partial(reckon, clock=self._clock, passed=monotonic), patience)

    def _end(self, ttl: float | None) -> float | None:
        return None if ttl is None else self._clock() + ttl


async def _again(interval: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do the work every so many seconds; a failure is told, and not the end."""
    while True:
        await asyncio.sleep(interval)
        try:
            await work()
        except Unavailable as refusal:
            log.warning("%s failed: %s", work.__name__, refusal.facts.get("cause"))
