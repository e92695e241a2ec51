"""What happens once, and what is remembered for a while, in one SQLite file that all processes of a machine share."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Host, Store, hookimpl

from .settings import SqliteSettings


@hookimpl
def cambist_stores(host: Host) -> Iterator[Store]:
    from .store import SqliteStore  # noqa: PLC0415 - sqlite3 loads only where a file is going to be opened

    yield SqliteStore(host.settings(SqliteSettings), host.clock, host.background)
