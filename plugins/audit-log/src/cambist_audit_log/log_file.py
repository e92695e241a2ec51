"""One file that is only ever added to, line by line."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class LogFile:
    """An open log. It is appended to on the event loop; `sync` and `finish` run in one thread, one after the other."""

    def __init__(self, path: Path, *, settle: bool = True) -> None:
        """Open the file, or make it for this user alone; `settle`: its name survives a power cut. Raises OSError."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            status = os.fstat(self._descriptor)
            self._identity = status.st_dev, status.st_ino
            self.regular = stat.S_ISREG(status.st_mode)  # a pipe or a terminal has no size, no mode of ours and no disk
            if self.regular:
                _refuse_shared(status, path)
                if settle:
                    _settle_name(path)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._ends = -1
        self._failure: OSError | None = None
        self._closed = False
        self.appended = self.synced = 0

    def is_at(self, path: Path) -> bool:
        """Whether the path still names this file."""
        try:
            there = path.stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == self._identity

    def append(self, line: bytes) -> None:
        """Write a line, without its end, so that it stands by itself whatever was written before it. Raises OSError."""
        size = os.fstat(self._descriptor).st_size
        if self.regular and size != self._ends and not self._ends_with_a_line(size):
            line = b"\n" + line  # a line that a full disk or a killed process cut off
        left = memoryview(line + b"\n")
        whole = len(left)
        self._ends = -1
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._ends = size + whole
        self.appended += 1

    def sync(self) -> None:
        """Return when everything that was appended is on the disk. Raises OSError."""
        if self._closed:
            if self._failure is not None:
                raise self._failure
        elif self.regular:
            os.fsync(self._descriptor)

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

    def _ends_with_a_line(self, size: int) -> bool:
        return size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n"


def _settle_name(path: Path) -> None:
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_shared(status: os.stat_result, path: Path) -> None:
    """Whoever else can write the log can tell another story. A group may read it, for programs that carry logs away."""
    if status.st_uid != os.geteuid():
        raise PermissionError(0, f"it belongs to user {status.st_uid}, and this service runs as user {os.geteuid()}")
    if (mode := stat.S_IMODE(status.st_mode)) & 0o037:
        raise PermissionError(0, f"it is open to others (mode {mode:04o}): chmod 600 {path}")
