"""The file of one zone: read only when it is ours alone, changed under a lock, replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cambist import Unavailable

from .directory import SUFFIX, refuse_shared, told

MAX_BYTES = 1 << 20
LOCK_TIMEOUT = 5.0
"""How long a change waits for another process, in seconds."""
_LOCK_PAUSE = 0.01


@dataclass(frozen=True)
class KeyFile:
    """Where the keys of one zone are. Every method raises Unavailable when the file cannot be used."""

    directory: Path
    zone: str

    @property
    def path(self) -> Path:
        return self.directory / f"{self.zone}{SUFFIX}"

    @property
    def what(self) -> str:
        return f"the key file of zone {self.zone}"

    def read(self) -> bytes | None:
        """All bytes of the file; None when there is none."""
        try:
            # Not through a link, which could lead to somebody else's file; not waiting for the other end of a pipe.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(what=self.what, cause=f"{self.path}: {error.strerror}") from error
        try:
            self._inspect(os.fstat(descriptor))
            with told(self.what), os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: no other process, and no other store of this one."""
        with told(self.what):
            lock = os.open(self.directory / f"{self.zone}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(lock)
            yield
        finally:
            os.close(lock)

    def replace(self, raw: bytes) -> None:
        """Put new bytes in the file's place: after a crash there are the old ones or the new ones, whole. Call it under the lock."""
        with told(self.what):
            self._remove_leftovers()
            descriptor, name = tempfile.mkstemp(prefix=f".{self.zone}.", suffix=".tmp", dir=self.directory)  # mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(raw)
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(self.path)
            finally:
                Path(name).unlink(missing_ok=True)
            self._sync_directory()

    def _inspect(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise Unavailable(what=self.what, cause=f"{self.path} is not a file")
        refuse_shared(status, self.path, self.what, fitting="600")
        if status.st_size > MAX_BYTES:
            raise Unavailable(what=self.what, cause=f"{self.path} is too large to be a key file ({status.st_size} bytes)")

    def _wait_for(self, lock: int) -> None:
        # flock, because a POSIX lock (lockf) would not keep two stores of one process apart.
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise Unavailable(what=self.what, cause=f"another process holds its lock for {LOCK_TIMEOUT:g} seconds") from error
            except OSError as error:
                raise Unavailable(what=self.what, cause=f"it cannot be locked: {error.strerror}") from error
            time.sleep(_LOCK_PAUSE)

    def _remove_leftovers(self) -> None:
        """What a process left that was killed before it could rename: under the lock, nobody alive is writing it."""
        for path in self.directory.glob(f".{self.zone}.*.tmp"):
            path.unlink(missing_ok=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
