"""Who works with the file: any number of services, or one command alone; and whether there ever was one.

A lock of its own beside the file tells, whatever became of the file. SQLite's own locks cannot: they ask for a file that can be
read, and who waits between two requests holds none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambist import Unavailable

from .faults import WHAT


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """A service, as long as it has the file open. Raises Unavailable while a command works on it."""
    with _locked(path, fcntl.LOCK_SH, "a command works on the file: start again when it has ended"):
        yield


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """A command: no service has the file open, and none can open it meanwhile. Raises Unavailable."""
    with _locked(path, fcntl.LOCK_EX, "the file is in use: stop the service first"):
        yield


def beside(path: Path) -> Path:
    """The lock of a file."""
    real = path.resolve()
    return real.with_name(f"{real.name}-lock")


def was_there(path: Path) -> bool:
    """Whether services have worked with a file here: if it is gone, so is everything that was spent and revoked."""
    lock = beside(path)
    return lock.exists() and lock.stat().st_size > 0


def is_there(path: Path) -> None:
    """From now on a file that is gone is missed. Raises OSError."""
    if not was_there(path):
        beside(path).write_text("a store was made beside this file\n")


@contextmanager
def _locked(path: Path, kind: int, otherwise: str) -> Iterator[None]:
    try:
        lock = os.open(beside(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(what=WHAT, cause=f"its file cannot be made: {error.strerror}", path=str(path)) from error
    try:
        _take(lock, kind, otherwise)
        yield
    finally:
        os.close(lock)


def _take(lock: int, kind: int, otherwise: str) -> None:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unavailable(what=WHAT, cause=otherwise) from error
    except OSError as error:
        raise Unavailable(what=WHAT, cause=f"its disk knows no locks: {error.strerror}") from error
