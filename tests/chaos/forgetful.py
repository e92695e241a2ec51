"""A store that is ours but for one thing, which was wrong once: it believes a clock that leaps. The harness has to see it."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Host, Store, hookimpl
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore


class BelievesTheClock(SqliteStore):
    async def _reckoned(self, patience: float | None = None) -> float:
        return self._clock()


@hookimpl
def cambist_stores(host: Host) -> Iterator[Store]:
    yield BelievesTheClock(host.settings(SqliteSettings), host.clock, host.background)
