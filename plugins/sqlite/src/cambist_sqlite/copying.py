"""A database copied into a new file: whole and sound on the disk, or not there at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from cambist import Unavailable

from . import schema
from .faults import unavailable

PATIENCE = 5.0
"""For how many seconds a command waits for others who write."""


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever goes wrong becomes a refusal that names the file it went wrong with."""
    try:
        yield
    except Unavailable as refusal:
        raise Unavailable(what=what, cause=str(refusal.facts["cause"])) from refusal
    except sqlite3.Error as error:
        raise Unavailable(what=what, cause=str(unavailable(error).facts["cause"])) from error
    except OSError as error:
        raise Unavailable(what=what, cause=error.strerror or type(error).__name__) from error


def opened(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to a file that is there. Raises sqlite3.Error."""
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?{mode}", uri=True, isolation_level=None, timeout=PATIENCE)


def at_rest(path: Path) -> str:
    """How to open a file that nobody works with without leaving a trace beside it; one that has a log must be read together with it."""
    log = path.with_name(f"{path.name}-wal")
    return "mode=rw" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


@contextmanager
def copied(source: sqlite3.Connection, beside: Path) -> Iterator[Path]:
    """A copy of a database under a name of its own in the folder of `beside`, for this user alone; gone at the end if nobody took it.

    It is as the source was at one moment: others may go on writing. Raises Unavailable, sqlite3.Error, OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{beside.name}.", suffix=".tmp", dir=beside.parent)  # mode 0600
    made = Path(name)
    try:
        with closing(opened(made, "mode=rw")) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, that a read-only disk can hold
            schema.version(target)
            schema.examine(target)
        os.fsync(descriptor)
        yield made
    finally:
        os.close(descriptor)
        for left in (made, *(made.with_name(f"{made.name}{end}") for end in ("-journal", "-wal", "-shm"))):
            left.unlink(missing_ok=True)


def settle(folder: Path) -> None:
    """Names in a folder survive a power cut from now on. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
