"""The directory of the key files: ours alone, or refused."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambist import Unavailable

ZONE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""The names that a zone can have; none of them leads out of a directory."""

SUFFIX = ".json"


def prepare(directory: Path) -> None:
    """Make the directory if it is not there, but not its parents: they tell a mistyped path, and a volume that is not mounted.

    Raises Unavailable.
    """
    with told(f"the key directory {directory}"):
        directory.mkdir(mode=0o700, exist_ok=True)
    inspect(directory)


def inspect(directory: Path) -> None:
    """Raises Unavailable unless the directory is there, readable, and ours alone."""
    what = f"the key directory {directory}"
    with told(what):
        status = directory.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise Unavailable(what=what, cause=f"{directory} is not a directory")
        refuse_shared(status, directory, what, fitting="700")
        with os.scandir(directory) as entries:
            next(entries, None)


def zones_in(directory: Path) -> Iterator[str]:
    """The zones that have a key file."""
    with told(f"the key directory {directory}"):
        names = sorted(path.name.removesuffix(SUFFIX) for path in directory.glob(f"*{SUFFIX}"))
    yield from filter(ZONE.fullmatch, names)


def refuse_shared(status: os.stat_result, path: Path, what: str, *, fitting: str) -> None:
    """Whoever else can read a key file has a copy to try KEKs on; whoever can write it can put an old one back."""
    if status.st_uid != os.geteuid():
        raise Unavailable(what=what, cause=f"{path} belongs to user {status.st_uid}, and this service runs as user {os.geteuid()}")
    if (mode := stat.S_IMODE(status.st_mode)) & 0o077:
        raise Unavailable(what=what, cause=f"{path} is open to others (mode {mode:04o}): chmod {fitting} {path}")


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever the operating system refuses becomes a refusal of ours that names the file."""
    try:
        yield
    except OSError as error:
        raise Unavailable(what=what, cause=error.strerror or type(error).__name__) from error
