"""What SQLite says when it cannot, as refusals: never as an answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from cambist import Unavailable

WHAT = "the store"

_CAUSES: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "others wrote to the file for longer than the busy timeout",
    sqlite3.SQLITE_LOCKED: "others wrote to the file for longer than the busy timeout",
    sqlite3.SQLITE_FULL: "the disk is full, or the file has reached its limit",
    sqlite3.SQLITE_READONLY: "the file, or the disk it is on, is read-only",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_PERM: "this user may not use the file",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else was writing, so that it is worth another try."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether what is in the file is not what was written there."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def unavailable(error: sqlite3.Error) -> Unavailable:
    """The refusal that an error of SQLite becomes. Its text never holds a key or a value: SQLite is only given those as parameters."""
    return Unavailable(what=WHAT, cause=_CAUSES.get(_code(error), str(error)))


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where the error is not SQLite's own, such as on a connection that was closed."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
