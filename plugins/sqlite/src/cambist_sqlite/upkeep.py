"""What is done to the file as a whole: taken to the newest version, copied while it is in use, and put back from a copy."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cambist import Unavailable

from . import schema
from .copying import at_rest, copied, opened, settle, told
from .faults import WHAT, is_damage
from .usage import alone

BACKUP = "the backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """The versions of the schema before and after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The version of what was put back; `marks` are those of the replaced file that were carried over, None if it could not be read."""

    version: int
    marks: int | None


def migrate(path: Path) -> Migrated:
    """Take the file to the version of this program, all of it or nothing. Raises Unavailable, also while a service has it open."""
    with alone(path), told(WHAT):
        _there(path)
        with closing(opened(path, "mode=rw")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            schema.examine(connection)
            return Migrated(before=schema.migrate(connection), after=schema.newest())


def backup(path: Path, target: Path) -> int:
    """Copy the file, as it is at one moment, into a new one; returns the version of its schema. Services may work meanwhile.

    The new file is there as a whole or not at all, and never takes the place of another. Raises Unavailable.
    """
    with told(WHAT):
        _there(path)
        source = opened(path, "mode=rw")
    with closing(source), told(BACKUP), copied(source, target) as made:
        found = _not_empty(source)
        try:
            os.link(made, target)  # unlike a rename it fails where something is
        except FileExistsError as error:
            raise Unavailable(what=BACKUP, cause=f"{target} is there already") from error
        settle(target.parent)
        return found


def restore(path: Path, source: Path) -> Restored:
    """Put a backup in the file's place, which is kept beside it. Raises Unavailable, also while a service has the file open.

    What was claimed since the backup stays claimed as far as the replaced file can be read: nothing is good twice for having been restored.
    """
    with alone(path):
        with told(BACKUP):
            _there(source)
            if path.exists() and path.samefile(source):
                raise Unavailable(what=BACKUP, cause="it is the store itself")
            connection = opened(source, at_rest(source))
        with closing(connection):
            with told(BACKUP):
                schema.examine(connection)
                found = _not_empty(connection)
            with told(WHAT), copied(connection, real := path.resolve()) as made:
                marks = _carried(real, made) if real.exists() else 0
                _put(made, real)
        return Restored(version=found, marks=marks)


def _there(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(2, f"there is no file {path}")


def _not_empty(connection: sqlite3.Connection) -> int:
    if not (found := schema.version(connection)):
        raise Unavailable(what=WHAT, cause="there is nothing in it")
    return found


def _carried(old: Path, new: Path) -> int | None:
    """Add the marks of the old file to the new one; None when it cannot be read, or has tables that are not as these."""
    try:
        _fold(old)
        with closing(opened(new, "mode=rw")) as connection:
            with closing(opened(old, at_rest(old))) as was:
                schema.examine(was)
                if schema.version(was) != schema.version(connection):
                    return None
                rows = was.execute("SELECT key, expires_at FROM marks").fetchall()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            before = connection.total_changes
            connection.executemany(
                "INSERT INTO marks (key, expires_at) VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE expires_at < excluded.expires_at",
                rows,
            )
            connection.execute("COMMIT")
            return connection.total_changes - before
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    except Unavailable:
        pass
    return None


def _fold(path: Path) -> None:
    """Bring what is in the log into the file. Raises sqlite3.Error, also when another program has it open."""
    with closing(opened(path, "mode=rw")) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _put(made: Path, path: Path) -> None:
    """The old file is beside the new one before that takes its place: there is one at every moment."""
    kept, log = path.with_name(f"{path.name}.replaced"), path.with_name(f"{path.name}-wal")
    kept_log = kept.with_name(f"{kept.name}-wal")
    for old in (kept, kept_log):
        old.unlink(missing_ok=True)
    if path.exists():
        os.link(path, kept)
    if log.exists():
        log.replace(kept_log)  # to the new file it would be a log of somebody else's changes
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    made.replace(path)
    settle(path.parent)
