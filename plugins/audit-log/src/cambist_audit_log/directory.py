"""The directory of the ledger: ours alone, or refused; and whose turn it is to delete from it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .names import SegmentName

MODE, GROUP_MODE = 0o600, 0o640
_GROUP_READS = 0o050


def prepare(directory: Path) -> None:
    """Make the directory if it is not there, but not its parents: they tell a volume that is not mounted. Raises OSError."""
    directory.mkdir(mode=0o700, exist_ok=True)
    inspect(directory)


def inspect(directory: Path) -> int:
    """The mode of segments in it: a group that may read the directory may read them, for programs that carry logs away.

    Raises OSError unless the directory is there and only this user can write it: whoever else can tells another story.
    """
    status = directory.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(0, f"{directory} is not a directory")
    if status.st_uid != os.geteuid():
        raise PermissionError(0, f"{directory} belongs to user {status.st_uid}, and this service runs as user {os.geteuid()}")
    if (mode := stat.S_IMODE(status.st_mode)) & 0o027:
        raise PermissionError(0, f"{directory} is open to others (mode {mode:04o}): chmod 700 {directory}")
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(0, f"{directory} cannot be written (mode {mode:04o})")
    return GROUP_MODE if mode & _GROUP_READS == _GROUP_READS else MODE


def segments_in(directory: Path) -> list[SegmentName]:
    """The segments by chain and number. Raises OSError."""
    found = (SegmentName.parse(path.name) for path in directory.iterdir())
    return sorted(name for name in found if name is not None)


@contextmanager
def held(directory: Path, *, alone: bool, wait: bool = True) -> Iterator[None]:
    """Nobody deletes segments meanwhile; `alone`: nor verifies them. Raises BlockingIOError where it would have to wait and may not."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def settle(directory: Path) -> None:
    """What was made, renamed or deleted in it survives a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
