"""The tables, how one version of them becomes the next, and which program may use them."""

from __future__ import annotations

import sqlite3

from cambist import Unavailable

from .faults import WHAT
from .transaction import reading, writing

APPLICATION = 0x63616D62
"""`camb`, in the file's header: so that we never write into the database of another program."""

Step = tuple[str, ...]
"""Statements that make one version of the schema into the next."""

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE marks (key BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires_at REAL)",
    ),
    ("CREATE TABLE reckoning (now REAL NOT NULL, at REAL NOT NULL, ahead REAL NOT NULL, since REAL NOT NULL)",),
)
"""The n-th makes version n of version n - 1. A new file goes through all of them, so that it is what an old one becomes.
A step that was released is never changed: what has to change is a step more."""


def newest() -> int:
    """The version that this program works with."""
    return len(STEPS)


def prepare(connection: sqlite3.Connection) -> None:
    """Set WAL and make the tables, or see that they are those we know. Raises Unavailable, sqlite3.Error.

    May be done by several processes at once: one makes the tables, the others find them or are told that it is busy.
    """
    _is_new_or_current(connection)  # before anything is written: the journal's mode is kept in the file
    if (mode := connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
        raise Unavailable(what=WHAT, cause=f"its disk has no shared memory (journal mode {mode}): a network disk cannot hold it")
    with writing(connection):
        if _is_new_or_current(connection):
            _advance(connection, 0)
    touch(connection)
    examine(connection)


def migrate(connection: sqlite3.Connection) -> int:
    """Make the tables what this program works with, all of it or nothing; returns the version that they had.

    Raises Unavailable, sqlite3.Error.
    """
    with writing(connection):
        before = version(connection)
        _advance(connection, before)
    return before


def version(connection: sqlite3.Connection) -> int:
    """The version of the tables, 0 where there is none yet. Raises Unavailable for what another program, or a newer one, wrote."""
    with reading(connection):  # at one moment: another process may be making the tables
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION:
        if application or found or tables:
            raise Unavailable(what=WHAT, cause="the file is the database of another program")
        return 0
    if not 0 < found <= newest():
        cause = f"the file has version {found} of the schema, and this program knows none above {newest()}: a newer program wrote it"
        raise Unavailable(what=WHAT, cause=cause)
    return found


def touch(connection: sqlite3.Connection) -> None:
    """Write a row that is gone again, and so really a page: to begin a transaction is no proof that one may write. Raises sqlite3.Error."""
    with writing(connection):
        connection.execute("INSERT INTO marks (key, expires_at) VALUES (x'', 0)")
        connection.execute("DELETE FROM marks WHERE key = x''")


def examine(connection: sqlite3.Connection) -> None:
    """Read every page once: a damaged one must not wait for the request that needs it. Raises Unavailable, sqlite3.Error."""
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise Unavailable(what=WHAT, cause="the file is damaged", found=found)


def _advance(connection: sqlite3.Connection, before: int) -> None:
    for step in STEPS[before:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {newest()}")


def _is_new_or_current(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty; False: its tables are ours. Raises Unavailable for anything else."""
    if 0 < (found := version(connection)) < newest():
        cause = f"the file has version {found} of the schema, and this program works with {newest()}: run `cambist store migrate`"
        raise Unavailable(what=WHAT, cause=cause)
    return found == 0
