"""The file on disk: made for us alone, opened without harm to locks, and still the one that its path names."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path
from urllib.parse import quote

from cambist import Unavailable

from .copying import settle
from .faults import WHAT
from .usage import beside, was_there

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""

BACKSTOP = 16_000
"""Pages of the log (64 MB) after which whoever writes must fold it back at once, on the event loop: some 10 ms."""

_OPENING = threading.Lock()
"""POSIX locks belong to the process: closing any descriptor of a file drops all of them. So no connection of this process
may be opened while the file is being made (https://sqlite.org/howtocorrupt.html section 2.2)."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that never waits by itself: who waits for others must not hold up the event loop. Raises Unavailable, sqlite3.Error."""
    with _OPENING:
        _make(path)
        # With mode=rw SQLite makes no file of its own, which would be as readable as the umask says.
        address = f"file:{quote(os.fsencode(path))}?mode=rw"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=0, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {BACKSTOP}")
    connection.execute("PRAGMA cell_size_check = ON")  # a damaged page is noticed, rather than read as one without our key
    return connection


def identity(path: Path) -> Identity:
    """Raises Unavailable when there is no file."""
    status = _status(path)
    return status.st_dev, status.st_ino


def open_log(path: Path) -> int:
    """A descriptor of the write-ahead log of an open file, whose name survives a power cut from now on. Raises Unavailable."""
    real = path.resolve()  # SQLite keeps it beside the file itself, not beside a symbolic link to it
    try:
        settle(real.parent)
        return os.open(real.with_name(f"{real.name}-wal"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(what=WHAT, cause=f"its write-ahead log cannot be opened: {error.strerror}", path=str(path)) from error


def _make(path: Path) -> None:
    """Make an empty file that nobody else can read, or see that the one that is there is such."""
    if not path.exists() and was_there(path):
        # An empty one in its place would accept once more whatever was spent or revoked.
        cause = (
            f"its file is gone: put it back, or restore a backup with `cambist store restore`; to begin with nothing remove {beside(path)}"
        )
        raise Unavailable(what=WHAT, cause=cause, path=str(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _inspect(path)
    except OSError as error:
        raise Unavailable(what=WHAT, cause=f"its file cannot be made: {error.strerror}", path=str(path)) from error


def _inspect(path: Path) -> None:
    """Whoever else can write the file can take a mark back; whoever can read it sees what plugins keep there."""
    status = _status(path)
    if not stat.S_ISREG(status.st_mode):
        raise Unavailable(what=WHAT, cause="its path is no regular file", path=str(path))
    if (mode := stat.S_IMODE(status.st_mode)) & 0o077:
        raise Unavailable(what=WHAT, cause=f"its file is open to others (mode {mode:04o}): chmod 600 {path}", path=str(path))


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise Unavailable(what=WHAT, cause=f"its file is gone: {error.strerror}", path=str(path)) from error
