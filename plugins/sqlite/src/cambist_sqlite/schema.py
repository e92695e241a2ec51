"""The tables, and which program may use them."""

from __future__ import annotations

import sqlite3

from cambist import Unavailable

from .faults import WHAT
from .transaction import writing

APPLICATION = 0x63616D62
"""`camb`, in the file's header: so that we never write into the database of another program."""

VERSION = 1

_TABLES = (
    "CREATE TABLE marks (key BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires_at REAL)",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Set WAL and make the tables, or see that they are those we know. Raises Unavailable, sqlite3.Error.

    May be done by several processes at once: one makes the tables, the others find them or are told that it is busy.
    """
    _is_ours(connection)  # before anything is written: the journal's mode is kept in the file
    if (mode := connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
        raise Unavailable(what=WHAT, cause=f"its disk has no shared memory (journal mode {mode}): a network disk cannot hold it")
    with writing(connection):
        if not _is_ours(connection):
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    touch(connection)
    _examine(connection)


def touch(connection: sqlite3.Connection) -> None:
    """Write a row that is gone again, and so really a page: to begin a transaction is no proof that one may write. Raises sqlite3.Error."""
    with writing(connection):
        connection.execute("INSERT INTO marks (key, expires_at) VALUES (x'', 0)")
        connection.execute("DELETE FROM marks WHERE key = x''")


def _examine(connection: sqlite3.Connection) -> None:
    """Read every page once: a damaged one must not wait for the request that needs it."""
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise Unavailable(what=WHAT, cause="the file is damaged", found=found)


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the tables are there; False: the file is empty. Raises Unavailable for what another program, or a newer one, wrote."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        if application or version or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise Unavailable(what=WHAT, cause="the file is the database of another program")
        return False
    if version != VERSION:
        raise Unavailable(what=WHAT, cause=f"the file has version {version} of the schema, and this program knows version {VERSION} alone")
    return True
