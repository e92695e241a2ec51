"""One file of a chain: made by the one process that writes it, locked while it does, only ever added to."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from . import directory as place
from .names import SegmentName

_TRIES = 50
LOOK = 0.5
"""Seconds between two looks whether the file is where it was made."""


class Segment:
    """An open segment. It is appended to on the event loop; `sync` and `finish` run in one thread, one after the other."""

    def __init__(self, directory: Path, name: SegmentName, *, begun: float, settle: bool = True) -> None:
        """Make the file; `settle`: its name survives a power cut, from the first sync on. Raises OSError."""
        mode = place.inspect(directory)
        self.name, self.begun = name, begun
        self._directory, self._unsettled = directory, settle
        self._path = directory / str(name)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, mode)
        try:
            os.fchmod(self._descriptor, mode)
            _lock(self._descriptor)
            status = os.fstat(self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._device, self._inode = status.st_dev, status.st_ino
        self._failure: OSError | None = None
        self._closed = self._broken = False
        self._looked = 0.0
        self.size = self.appended = self.synced = 0

    @property
    def usable(self) -> bool:
        """Whether it is still in its directory, and what it holds is known.

        A file that was removed or replaced has no name any more, which its descriptor knows; whether it was moved away is
        looked up once in a while, which takes three times as long: what is written to it until then is only elsewhere.
        """
        there = os.fstat(self._descriptor)
        return there.st_nlink > 0 and there.st_size == self.size and not self._broken and self._is_named()

    def _is_named(self) -> bool:
        if (now := time.monotonic()) - self._looked < LOOK:
            return True
        self._looked = now
        try:
            named = self._path.lstat()
        except OSError:
            return False
        return named.st_ino == self._inode and named.st_dev == self._device

    def append(self, lines: bytes) -> None:
        """Write all of it or none. Raises OSError."""
        try:
            if (written := os.write(self._descriptor, lines)) < len(lines):
                self._write_rest(memoryview(lines)[written:])
            self.size += len(lines)
        except BaseException:
            self._cut_back()
            raise
        self.appended += 1

    def _write_rest(self, left: memoryview) -> None:
        while left:
            left = left[os.write(self._descriptor, left) :]

    def _cut_back(self) -> None:
        """Nobody else writes the file, so what a full disk cut off can go; where it cannot, the chain goes on in another file."""
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self._broken = True

    def sync(self) -> None:
        """Return when everything that was appended is on the disk. Raises OSError."""
        if self._closed:
            if self._failure is not None:
                raise self._failure
            return
        os.fsync(self._descriptor)
        if self._unsettled:
            place.settle(self._directory)
            self._unsettled = False

    def finish(self, *, sync: bool = True) -> None:
        """Sync and close. Raises OSError, and from then on so does `sync`."""
        try:
            if sync:
                self.sync()
        except OSError as error:
            self._failure = error
            raise
        finally:
            self._closed = True
            os.close(self._descriptor)

    def forget(self) -> None:
        """Remove a file that nothing was written to."""
        try:
            if self.usable and not self.size:
                self._path.unlink()
        except OSError:
            pass  # an empty segment is no damage


def _lock(descriptor: int) -> None:
    """Whoever asks whether a segment is being written holds its lock for a moment."""
    for tries in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if tries == _TRIES - 1:
                raise
            time.sleep(0.001)


def is_being_written(path: Path) -> bool:
    """Whether a living process has the segment. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
