"""What is remembered for a while: values by key."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from cambist import Unavailable

from .faults import WHAT
from .transaction import writing

PAGE = 100
"""How many entries are read at once for an administrator: no reader may keep the log of writes from being folded back."""

_GET = "SELECT value, expires_at FROM entries WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)"
_PUT = "INSERT OR REPLACE INTO entries (key, value, expires_at) VALUES (?, ?, ?)"
_SCAN = "SELECT key, value FROM entries WHERE key >= ? AND key < ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT ?"


def get(connection: sqlite3.Connection, *, keys: Sequence[str], now: float) -> Mapping[str, bytes]:
    """The values of the keys that are there, all as they were at one moment."""
    connection.execute("BEGIN")
    try:
        rows = {key: connection.execute(_GET, (_raw(key), now)).fetchone() for key in keys}
    finally:
        connection.execute("ROLLBACK")
    return {key: row[0] for key, row in rows.items() if row is not None}


def put(connection: sqlite3.Connection, *, key: str, value: bytes, ends: float | None) -> None:
    with writing(connection):
        connection.execute(_PUT, (_raw(key), value, ends))


def swap(connection: sqlite3.Connection, *, key: str, expected: bytes | None, value: bytes, ends: float | None, now: float) -> bool:
    """Put the value if the key holds what is expected; says whether it did."""
    with writing(connection):
        row = connection.execute(_GET, (_raw(key), now)).fetchone()
        if (row[0] if row else None) != expected:
            return False
        connection.execute(_PUT, (_raw(key), value, ends))
    return True


def count(connection: sqlite3.Connection, *, key: str, ends: float, now: float) -> int:
    """Add one to a counter, which keeps the end that it was given first; raises Unavailable when the key holds something else."""
    with writing(connection):
        before, first = connection.execute(_GET, (_raw(key), now)).fetchone() or (b"0", ends)
        if not before.isdigit():
            raise Unavailable(what=WHAT, cause="what was to be counted up is no counter")
        total = int(before) + 1
        connection.execute(_PUT, (_raw(key), str(total).encode(), first))
    return total


def delete(connection: sqlite3.Connection, *, key: str) -> None:
    with writing(connection):
        connection.execute("DELETE FROM entries WHERE key = ?", (_raw(key),))


def page(connection: sqlite3.Connection, *, prefix: str, after: str | None, now: float) -> list[tuple[str, bytes]]:
    """The next live entries under a prefix, in the order of their keys' bytes; empty at the end."""
    first = _raw(prefix) if after is None else _raw(after) + b"\x00"
    beyond = _raw(prefix) + b"\xff"  # which no UTF-8 text has
    rows = connection.execute(_SCAN, (first, beyond, now, PAGE)).fetchall()
    return [(key.decode(errors="surrogatepass"), value) for key, value in rows]


def _raw(key: str) -> bytes:
    """Keys are compared byte by byte, as Python compares them: as text SQLite would stop at NUL and refuse surrogates."""
    return key.encode(errors="surrogatepass")
