"""Backup while the store is in use, and restore while it is not: a copy is whole or not there, and nothing becomes good twice by it."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import pytest

from cambist import Mark, Unavailable
from cambist.hooks import HasCommand
from cambist_sqlite import copying, schema, upkeep
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore
from cambist_sqlite.upkeep import Restored, backup, restore

pytestmark = pytest.mark.row("P-sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "copy.sqlite"


def on(path: Path) -> SqliteStore:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    return SqliteStore(SqliteSettings(path=path), time.time, not_now)


def mark(key: str) -> Mark:
    return Mark(kind="credential", key=key, expires_at=4_102_444_800.0)


async def used(path: Path, key: str = "a") -> None:
    async with on(path) as store:
        await store.claim([mark(key)])
        await store.put("k", key.encode())


async def knows(path: Path, *keys: str) -> list[bool]:
    """Whether each mark was claimed; asks a copy, so that nothing is claimed by asking."""
    asked = path.with_name(f"asked-{path.name}")
    asked.unlink(missing_ok=True)
    backup(path, asked)
    async with on(asked) as store:
        return [await store.claim([mark(key)]) is not None for key in keys]


def cause(work: Callable[[], object]) -> str:
    with pytest.raises(Unavailable) as refused:
        work()
    return f"{refused.value.facts['what']}: {refused.value.facts['cause']}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ── backup ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_backup_of_a_store_in_use_has_everything_that_was_acknowledged_before(path: Path, copy: Path) -> None:
    async with on(path) as store:
        await store.claim([mark("a")])
        await store.put("k", b"v")
        assert backup(path, copy) == schema.newest()
        await store.claim([mark("b")])
        assert await store.claim([mark("a")]) == mark("a"), "the store goes on"
    assert names(copy.parent) == ["copy.sqlite"], "one file, and nothing beside it"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert await knows(copy, "a", "b") == [True, False]
    async with on(copy) as store:
        assert await store.get_many(["k"]) == {"k": b"v"}


WRITING = """
import asyncio, sys, time
from pathlib import Path
from cambist import Mark
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore
async def main():
    async with SqliteStore(SqliteSettings(path=Path(sys.argv[1])), time.time, lambda name, work: work.close()) as store:
        n = 0
        while True:
            await store.claim([Mark(kind="credential", key=f"{n} {half}", expires_at=4_102_444_800.0) for half in ("x", "y")])
            print(n, flush=True)
            n += 1
asyncio.run(main())
"""


async def test_a_backup_while_another_process_writes_is_as_the_store_was_at_one_moment(path: Path, copy: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            while int(writer.stdout.readline()) < 200:
                pass
            before = int(writer.stdout.readline())
            backup(path, copy)
        finally:
            writer.kill()
    connection = sqlite3.connect(copy)
    (marks,) = connection.execute("SELECT count(*) FROM marks").fetchone()
    connection.close()
    assert marks % 2 == 0, "both halves of a claim or none"
    assert marks >= 2 * (before + 1)
    assert await knows(copy, f"{before} x", f"{before} y") == [True, True]


async def test_a_backup_never_takes_the_place_of_another_file(path: Path, copy: Path) -> None:
    await used(path)
    copy.write_bytes(b"precious")
    assert cause(lambda: backup(path, copy)) == f"the backup: {copy} is there already"
    assert cause(lambda: backup(path, path)) == f"the backup: {path} is there already"
    assert copy.read_bytes() == b"precious"
    assert names(copy.parent) == ["copy.sqlite"]


@pytest.mark.parametrize("broken", ["link", "fsync"])
async def test_a_backup_that_cannot_be_written_leaves_nothing(path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    await used(path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, broken, full)
        assert cause(lambda: backup(path, copy)) == "the backup: No space left on device"
    assert names(copy.parent) == []
    backup(path, copy)


async def test_a_backup_into_a_folder_that_is_not_there_is_refused(path: Path) -> None:
    await used(path)
    assert cause(lambda: backup(path, path.parent / "none" / "copy")) == "the backup: No such file or directory"


async def test_a_store_that_is_not_there_or_damaged_is_not_copied(path: Path, copy: Path) -> None:
    assert cause(lambda: backup(path, copy)) == f"the store: there is no file {path}"
    await used(path)
    spoilt(path)
    assert "damaged" in cause(lambda: backup(path, copy))
    path.write_bytes(b"")
    assert cause(lambda: backup(path, copy)) == "the backup: there is nothing in it"
    assert names(copy.parent) == []


def spoilt(path: Path) -> None:
    """One page overwritten."""
    raw = bytearray(path.read_bytes())
    raw[4096 : 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)


# ── restore ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_restored_store_has_the_values_of_the_backup_and_the_marks_of_both(path: Path, copy: Path) -> None:
    await used(path, "before")
    backup(path, copy)
    await used(path, "after")
    assert restore(path, copy) == Restored(version=schema.newest(), marks=1)
    async with on(path) as store:
        assert await store.get_many(["k"]) == {"k": b"before"}
        assert await store.claim([mark("before")]) is not None
        assert await store.claim([mark("after")]) is not None, "what was used since the backup is not good once more"
        assert await store.claim([mark("new")]) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == ["elsewhere", "store.sqlite", "store.sqlite-lock", "store.sqlite.replaced"]
    assert await knows(path.with_name("store.sqlite.replaced"), "after") == [True], "the file that was there is kept"


async def test_a_mark_that_both_have_lives_as_long_as_the_longer(path: Path, copy: Path) -> None:
    for file, lives in ((path, 900.0), (copy, 500.0)):
        async with on(file) as store:
            await store.claim([Mark(kind="credential", key="a", expires_at=time.time() + lives)])
    restore(path, copy)
    connection = sqlite3.connect(path)
    [(end,)] = connection.execute("SELECT expires_at FROM marks").fetchall()
    connection.close()
    assert end > time.time() + 600


async def test_a_damaged_store_is_restored_and_its_marks_are_told_lost(path: Path, copy: Path) -> None:
    await used(path, "before")
    backup(path, copy)
    spoilt(path)
    assert restore(path, copy) == Restored(version=schema.newest(), marks=None)
    assert await knows(path, "before") == [True]


@pytest.mark.parametrize("raw", [b"", b"garbage " * 1000], ids=["cut-to-nothing", "overwritten"])
async def test_what_is_no_database_any_more_is_restored(path: Path, copy: Path, raw: bytes) -> None:
    await used(path, "before")
    backup(path, copy)
    path.write_bytes(raw)
    assert restore(path, copy).marks is None
    assert await knows(path, "before") == [True]


async def test_a_store_that_is_gone_is_restored(path: Path, copy: Path) -> None:
    await used(path, "before")
    backup(path, copy)
    path.unlink()
    assert restore(path, copy) == Restored(version=schema.newest(), marks=0)
    assert await knows(path, "before") == [True]


async def test_the_log_of_a_killed_service_is_not_replayed_into_the_backup(path: Path, copy: Path) -> None:
    """Its pages are those of another file: replayed, they would damage the restored one."""
    await used(path, "before")
    backup(path, copy)
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 50:
            pass
        writer.send_signal(signal.SIGKILL)
    assert path.with_name("store.sqlite-wal").stat().st_size > 0
    done = restore(path, copy)
    assert done.marks is not None
    assert done.marks >= 100
    assert not path.with_name("store.sqlite-wal").exists()
    assert await knows(path, "before", "0 x", "50 y") == [True, True, True]


async def test_a_store_in_use_is_not_restored_and_does_not_notice(path: Path, copy: Path) -> None:
    await used(path)
    backup(path, copy)
    async with on(path) as store:
        assert cause(lambda: restore(path, copy)) == "the store: the file is in use: stop the service first"
        assert await store.claim([mark("b")]) is None
    restore(path, copy)


async def test_a_service_does_not_open_a_store_that_is_being_restored(path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(path)
    backup(path, copy)
    refused: list[str] = []
    put = upkeep._put

    def looked(made: Path, real: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as other:
            refused.append(other.communicate(timeout=60)[1])
        put(made, real)

    monkeypatch.setattr(upkeep, "_put", looked)
    restore(path, copy)
    assert "a command works on the file: start again when it has ended" in refused[0]
    assert await knows(path, "0 x") == [False]


async def test_a_newer_a_damaged_and_somebody_elses_file_are_not_restored(path: Path, copy: Path) -> None:
    await used(path)
    backup(path, copy)
    good = path.read_bytes()
    with sqlite3.connect(copy) as connection:
        connection.execute(f"PRAGMA user_version = {schema.newest() + 1}")
    connection.close()
    assert f"the backup: the file has version {schema.newest() + 1} of the schema" in cause(lambda: restore(path, copy))
    with sqlite3.connect(copy) as connection:
        connection.execute(f"PRAGMA user_version = {schema.newest()}")
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    assert cause(lambda: restore(path, copy)) == "the backup: the file is the database of another program"
    spoilt(copy)
    assert "the backup: the file is damaged" in cause(lambda: restore(path, copy))
    copy.write_bytes(b"garbage " * 1000)
    assert cause(lambda: restore(path, copy)) == "the backup: the file is no SQLite database"
    copy.write_bytes(b"")
    assert cause(lambda: restore(path, copy)) == "the backup: there is nothing in it"
    copy.unlink()
    assert cause(lambda: restore(path, copy)) == f"the backup: there is no file {copy}"
    assert cause(lambda: restore(path, path)) == "the backup: it is the store itself"
    assert path.read_bytes() == good
    assert names(path.parent) == ["elsewhere", "store.sqlite", "store.sqlite-lock"]


async def test_an_older_backup_is_restored_and_then_migrated(path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(path, "before")
    backup(path, copy)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, ("CREATE TABLE more (a)",)))
    upkeep.migrate(path)
    assert restore(path, copy) == Restored(version=schema.newest() - 1, marks=None), "tables of two versions are not mixed"
    assert upkeep.migrate(path).before == schema.newest() - 1
    assert await knows(path, "before") == [True]


@pytest.mark.parametrize("step", ["fold", "link", "log", "replace"])
async def test_a_restore_that_is_stopped_anywhere_leaves_a_store_that_knows_its_marks(
    path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    await used(path, "before")
    backup(path, copy)
    await used(path, "after")
    with monkeypatch.context() as broken:
        if step == "fold":
            broken.setattr(upkeep, "_fold", killed)
        elif step == "link":
            broken.setattr(os, "link", killed)
        elif step == "log":
            broken.setattr(upkeep, "settle", killed)
        else:
            broken.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            restore(path, copy)
    assert await knows(path, "before", "after") == [True, True]
    assert not [name for name in names(path.parent) if name.endswith(".tmp")]
    restore(path, copy)


async def test_a_link_to_the_file_stays_a_link(path: Path, copy: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.sqlite"
    await used(real, "before")
    path.symlink_to(real)
    backup(path, copy)
    restore(path, copy)
    assert path.is_symlink()
    assert await knows(real, "before") == [True]


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────


def run(path: Path, *arguments: str) -> None:
    """As the command line does."""
    store = on(path)
    assert isinstance(store, HasCommand)
    store.command().main(list(arguments), prog_name="cambist store", standalone_mode=False)


async def test_the_commands_say_what_they_did(path: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await used(path, "before")
    run(path, "backup", str(copy))
    assert capsys.readouterr().out == f"{copy} is a copy of {path}, with version {schema.newest()} of the schema\n"
    await used(path, "after")
    run(path, "restore", str(copy))
    said = capsys.readouterr()
    assert said.out == f"{path} is as {copy} was, with version {schema.newest()} of the schema\n"
    assert "revoke again what was revoked since" in said.err
    assert "1 marks of the replaced file were carried over" in said.err
    spoilt(path)
    run(path, "restore", str(copy))
    assert "may be used once more until it expires" in capsys.readouterr().err
    run(path, "migrate")
    assert capsys.readouterr().out == f"{path} has version {schema.newest()} of the schema already\n"
    path.write_bytes(b"")
    run(path, "migrate")
    assert capsys.readouterr().out == f"{path} has version {schema.newest()} of the schema now; it had version 0\n"
    with pytest.raises(click.UsageError):
        run(path, "restore")


async def test_a_command_that_waits_for_the_lock_of_a_dead_service_does_not(path: Path, copy: Path) -> None:
    """The lock goes with its process, however that ends."""
    await used(path)
    backup(path, copy)
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert "in use" in cause(lambda: restore(path, copy))
        writer.send_signal(signal.SIGKILL)
    await asyncio.to_thread(restore, path, copy)


async def test_another_program_that_has_the_file_open_is_noticed(path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PATIENCE", 0.05)
    await used(path)
    backup(path, copy)
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM marks").fetchone()
    assert "others" in cause(lambda: restore(path, copy))
    other.close()
    restore(path, copy)
