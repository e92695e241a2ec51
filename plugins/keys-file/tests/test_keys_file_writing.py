"""A key file is written as a whole, or not at all, and is on disk before a key of it signs."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from cambist_keys_file.testing import cause_of, kept, made, signer

pytestmark = pytest.mark.row("P-keys-file")


async def test_a_key_is_on_disk_before_it_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        steps.append("directory" if name == str(tmp_path / "keys") else "file" if name.endswith(".tmp") else name)
        fsync(descriptor)

    def replaced(source: Any, target: Any) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    store = kept(tmp_path)
    await store.signing("default")
    assert steps == ["file", "rename", "directory"]
    await store.signing("default")
    await store.published("default")
    assert len(steps) == 3
    await store.rotate("default")
    assert steps[3:] == ["file", "rename", "directory"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
async def test_a_full_disk_is_refused_and_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    store = kept(tmp_path)
    first = await signer(store)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, full)
        assert await cause_of(store.rotate("default", compromised=True)) == "No space left on device"
        assert await cause_of(store.signing("blue")) == "No space left on device"
    assert file.read_bytes() == good
    assert sorted(path.name for path in file.parent.iterdir()) == ["blue.lock", "default.json", "default.lock"]
    assert await signer(store) == first
    assert (await store.rotate("default", compromised=True)).rotated


class Killed(BaseException):
    """What nobody catches."""


async def test_who_is_stopped_between_writing_and_renaming_leaves_the_old_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    store = kept(tmp_path)

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            await store.rotate("default", compromised=True)
    assert file.read_bytes() == good
    assert (await store.rotate("default", compromised=True)).rotated


async def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    store = kept(tmp_path)
    monkeypatch.setattr(fcntl, "flock", without)
    assert await cause_of(store.signing("default")) == "it cannot be locked: No locks available"
    assert store.zones() == ()
