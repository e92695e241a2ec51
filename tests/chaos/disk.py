"""A disk that can be full: a tmpfs, which is made as small as what is on it; where none can be mounted, files that may not grow."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOM = 1 << 30


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """A tmpfs in a folder while the block runs; False where this user or this machine mounts none."""
    done = os.geteuid() == 0 and _run("mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=700", "cambist-chaos", folder)
    try:
        yield done
    finally:
        if done:
            _run("umount", "--lazy", folder)


@contextmanager
def full(folder: Path, pids: Sequence[int]) -> Iterator[None]:
    """No file in the folder can grow while the block runs: of anybody on a tmpfs, else of these processes."""
    if not os.path.ismount(folder):
        with _limited(pids):
            yield
        return
    status = os.statvfs(folder)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    _run("mount", "-o", f"remount,size={used}", folder)
    try:
        yield
    finally:
        _run("mount", "-o", f"remount,size={ROOM}", folder)


@contextmanager
def _limited(pids: Sequence[int]) -> Iterator[None]:
    _limit(pids, 1)
    try:
        yield
    finally:
        _limit(pids, resource.RLIM_INFINITY)


def _limit(pids: Sequence[int], size: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _run(*command: object) -> bool:
    try:
        return subprocess.run([str(word) for word in command], check=False, capture_output=True, timeout=10).returncode == 0
    except OSError:
        return False
