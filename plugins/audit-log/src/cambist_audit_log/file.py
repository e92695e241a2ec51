"""The file that lines are appended to: each whole or not at all, and found again when somebody moved it away."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cambist import Unavailable

BLOCK = 65_536
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class LineFile:
    """Append-only, for one process. Every method raises Unavailable when the file cannot do it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._torn = False

    def append(self, line: bytes) -> None:
        """Hand a line to the operating system; from then on a killed process does not lose it."""
        try:
            descriptor = self._opened()
            # What is left of a line that did not fit must not be joined to the next one.
            told = b"\n" + line if self._torn else line
            self._torn = True
            while told:
                told = told[os.write(descriptor, told) :]
            self._torn = False
        except OSError as error:
            self.close()
            raise self._unavailable(error) from error

    def sync(self) -> None:
        """See that everything appended reaches the disk. It may block: call it from a thread."""
        try:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
        except OSError as error:
            raise self._unavailable(error) from error

    def check(self) -> None:
        """See that it can be appended to."""
        try:
            self._opened()
        except OSError as error:
            raise self._unavailable(error) from error

    def lines(self) -> Iterator[bytes]:
        """The lines, newest first, in bounded memory."""
        try:
            with self._path.open("rb") as file:
                yield from _backwards(file.fileno(), file.seek(0, os.SEEK_END))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        """The descriptor of the file that is at the path now: it may have been rotated away."""
        if self._descriptor is not None and not self._is_at_path(self._descriptor):
            self.close()
        if self._descriptor is None:
            descriptor = os.open(self._path, _FLAGS, 0o600)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
                os.fchmod(descriptor, 0o600)
            self._torn = _is_torn(descriptor)
            self._descriptor = descriptor
        return self._descriptor

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            there, ours = self._path.stat(), os.fstat(descriptor)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(what=f"the ledger {self._path}", cause=error.strerror or type(error).__name__)


def _is_torn(descriptor: int) -> bool:
    """Whether the file ends within a line, as after a full disk."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _backwards(descriptor: int, end: int) -> Iterator[bytes]:
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK)
        first, *whole = (os.pread(descriptor, end - start, start) + rest).split(b"\n")
        yield from reversed(whole)
        rest, end = first, start
    yield rest
