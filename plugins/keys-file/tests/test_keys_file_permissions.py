"""Key files are ours alone: whatever is open to others, belongs to others or leads elsewhere is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cambist import Unavailable
from cambist.testing import MovableClock
from cambist_keys_file.testing import cause_of, kept, made, refuses_all, signer, unchecked

pytestmark = pytest.mark.row("P-keys-file")


async def test_directory_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)  # the most careless there is
    try:
        await made(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    names = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert names == {"default.json": 0o600, "default.lock": 0o600}


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o710, 0o701, 0o720, 0o777])
async def test_a_directory_that_is_open_to_others_is_refused_at_open(tmp_path: Path, mode: int) -> None:
    await made(tmp_path)
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path)
    assert refused.value.facts["cause"] == f"{tmp_path}/keys is open to others (mode {mode:04o}): chmod 700 {tmp_path}/keys"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
async def test_a_file_that_is_open_to_others_is_refused_at_open_and_in_use(tmp_path: Path, mode: int) -> None:
    file = await made(tmp_path)
    file.chmod(mode)
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path)
    assert refused.value.facts["cause"] == f"{file} is open to others (mode {mode:04o}): chmod 600 {file}"
    assert await refuses_all(unchecked(tmp_path))


async def test_a_file_that_is_opened_to_others_while_in_use_is_refused_within_a_second(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await signer(store)
    (tmp_path / "keys" / "default.json").chmod(0o644)
    clock.move(1)
    assert "is open to others" in await cause_of(store.signing("default"))


async def test_what_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(tmp_path)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path)
    assert refused.value.facts["cause"] == f"{tmp_path}/keys belongs to user {stranger - 1}, and this service runs as user {stranger}"
    assert await refuses_all(unchecked(tmp_path))


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    file = await made(tmp_path)
    file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(Unavailable):
        kept(tmp_path)
    assert await refuses_all(unchecked(tmp_path))


async def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    store = kept(tmp_path)
    (tmp_path / "keys" / "default.lock").symlink_to(tmp_path / "precious")
    await cause_of(store.signing("default"))
    assert not (tmp_path / "precious").exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
async def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    store = kept(tmp_path)
    make(tmp_path / "keys" / "default.json")
    assert "default.json is not a file" in await cause_of(store.signing("default"))


async def test_refusing_a_file_leaves_none_open(tmp_path: Path) -> None:
    store = kept(tmp_path)
    (tmp_path / "keys" / "blue.json").mkdir()
    (tmp_path / "keys" / "red.json").touch(mode=0o644)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for zone in ("blue", "red") * 20:
        await cause_of(store.rotate(zone))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


async def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").touch(mode=0o700)
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path)
    assert refused.value.facts["cause"] == "File exists"


def test_a_directory_without_a_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path / "mistyped")
    assert refused.value.facts == {"what": f"the key directory {tmp_path}/mistyped/keys", "cause": "No such file or directory"}


async def test_a_file_that_took_the_place_of_the_directory_is_seen_by_ping(tmp_path: Path) -> None:
    store = kept(tmp_path)
    (tmp_path / "keys").rmdir()
    (tmp_path / "keys").touch(mode=0o600)
    assert await cause_of(store.ping()) == f"{tmp_path}/keys is not a directory"


async def test_a_directory_that_is_opened_to_others_is_seen_by_ping(tmp_path: Path) -> None:
    store = kept(tmp_path)
    (tmp_path / "keys").chmod(0o755)
    assert "is open to others (mode 0755)" in await cause_of(store.ping())
