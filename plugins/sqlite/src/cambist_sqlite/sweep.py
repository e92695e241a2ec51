"""Removing what has expired, a page at a time, so that no request waits for it.

There is no index by time: it would make every claim a third slower, for a task that runs once a minute.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from .transaction import writing

PAGE = 200
"""How many rows are looked at in one go: some 0.1 ms."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How one table is gone through in the order of its keys."""

    ends: str
    expired: str
    remove: str


TABLES = (
    Swept(
        "SELECT max(key) FROM (SELECT key FROM marks WHERE key >= ? ORDER BY key LIMIT ?)",
        "SELECT 1 FROM marks WHERE key >= ? AND key <= ? AND expires_at <= ? LIMIT 1",
        "DELETE FROM marks WHERE key >= ? AND key <= ? AND expires_at <= ?",
    ),
    Swept(
        "SELECT max(key) FROM (SELECT key FROM entries WHERE key >= ? ORDER BY key LIMIT ?)",
        "SELECT 1 FROM entries WHERE key >= ? AND key <= ? AND expires_at <= ? LIMIT 1",
        "DELETE FROM entries WHERE key >= ? AND key <= ? AND expires_at <= ?",
    ),
)


def sweep(connection: sqlite3.Connection, *, table: Swept, first: bytes, now: float) -> bytes | None:
    """Remove what has expired among the next rows; returns where to go on, None at the end of the table. Raises sqlite3.Error."""
    last: bytes | None = connection.execute(table.ends, (first, PAGE)).fetchone()[0]
    if last is None:
        return None
    if connection.execute(table.expired, (first, last, now)).fetchone():
        with writing(connection):
            connection.execute(table.remove, (first, last, now))
    return last + b"\x00"  # the key right after it
