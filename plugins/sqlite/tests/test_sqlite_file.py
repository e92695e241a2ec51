"""The file: who may read it, which program may use it, and what is said when it cannot be used."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import Mark, Unavailable
from cambist.testing import MovableClock
from cambist_sqlite import schema
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def on(path: Path, **more: Any) -> SqliteStore:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    return SqliteStore(SqliteSettings(path=path, **more), MovableClock(), not_now)


def mark(key: str = "a") -> Mark:
    return Mark(kind="credential", key=key, expires_at=MovableClock().now + 60)


@asynccontextmanager
async def told(pattern: str) -> AsyncIterator[None]:
    """What is refused here is Unavailable, and its cause is as the pattern says."""
    with pytest.raises(Unavailable) as caught:
        yield
    assert caught.value.facts["what"] == "the store"
    assert re.search(pattern, str(caught.value.facts["cause"])), caught.value.facts


async def cannot_open(path: Path, pattern: str) -> None:
    async with told(pattern), on(path):
        pass


async def made(path: Path) -> None:
    async with on(path) as store:
        await store.claim([mark()])
        await store.put("k", b"v")


# ── who may read it ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_file_and_its_log_are_ours_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        async with on(path) as store:
            await store.claim([mark()])
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"store.sqlite": 0o600, "store.sqlite-wal": 0o600, "store.sqlite-shm": 0o600, "store.sqlite-lock": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
async def test_a_file_that_others_can_open_is_refused(path: Path, mode: int) -> None:
    await made(path)
    path.chmod(mode)
    await cannot_open(path, rf"open to others \(mode {mode:04o}\): chmod 600 ")


async def test_a_folder_that_is_not_there_is_not_made(path: Path) -> None:
    await cannot_open(path.parent / "none" / "store.sqlite", "cannot be made: No such file or directory")
    assert list(path.parent.iterdir()) == []


async def test_a_folder_is_no_file(path: Path) -> None:
    path.mkdir(mode=0o700)
    await cannot_open(path, "no regular file")


async def test_a_link_that_leads_nowhere_is_refused(path: Path) -> None:
    path.symlink_to(path.parent / "none")
    await cannot_open(path, "its file is gone")


async def test_a_link_may_lead_to_the_file(path: Path) -> None:
    real = path.parent / "elsewhere"
    real.mkdir()
    await made(real / "real.sqlite")
    path.symlink_to(real / "real.sqlite")
    async with on(path) as store:
        assert await store.claim([mark()]) == mark()
        await store.put("k", b"w")
    async with on(real / "real.sqlite") as store:
        assert await store.get_many(["k"]) == {"k": b"w"}


@pytest.mark.parametrize("name", ["a b.sqlite", "100%.sqlite", "what?.sqlite", "a#b.sqlite", "é.sqlite", "file:x?mode=memory"])
async def test_the_file_may_have_any_name(path: Path, name: str) -> None:
    await made(path.parent / name)
    assert sorted(file.name for file in path.parent.iterdir()) == [name, f"{name}-lock"]
    async with on(path.parent / name) as store:
        assert await store.claim([mark()]) == mark()


async def test_closing_leaves_one_file_that_has_everything(path: Path) -> None:
    await made(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.sqlite", "store.sqlite-lock"]
    assert path.with_name("store.sqlite-lock").read_text() == "a store was made beside this file\n"
    copy = path.with_name("copy.sqlite")
    shutil.copy2(path, copy)
    async with on(copy) as store:
        assert await store.claim([mark()]) == mark()
        assert await store.get_many(["k"]) == {"k": b"v"}


# ── which program may use it ────────────────────────────────────────────────────────────────────────────


def altered(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


async def test_the_file_says_whose_it_is_and_which_version(path: Path) -> None:
    await made(path)
    connection = sqlite3.connect(path)
    pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version", "journal_mode")]
    connection.close()
    assert pragmas == [schema.APPLICATION, schema.newest(), "wal"]


async def test_a_file_of_a_newer_program_is_refused_and_left_as_it_was(path: Path) -> None:
    await made(path)
    altered(path, f"PRAGMA user_version = {schema.newest() + 1}")
    before = path.read_bytes()
    newer = schema.newest() + 1
    said = f"the file has version {newer} of the schema, and this program knows none above {newer - 1}: a newer program wrote it"
    await cannot_open(path, said)
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (a)", "PRAGMA user_version = 7", "PRAGMA application_id = 7"])
async def test_the_database_of_another_program_is_refused_and_left_as_it_was(path: Path, statement: str) -> None:
    altered(path, statement)
    path.chmod(0o600)
    before = path.read_bytes()
    await cannot_open(path, "the database of another program")
    assert path.read_bytes() == before


async def test_an_empty_file_is_taken_as_a_new_one(path: Path) -> None:
    path.touch(mode=0o600)
    await made(path)
    async with on(path) as store:
        assert await store.claim([mark()]) == mark()


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_no_database_is_refused_and_left_as_it_was(path: Path) -> None:
    path.write_bytes(b"decisions, one a line\n" * 100)
    path.chmod(0o600)
    await cannot_open(path, "no SQLite database")
    assert path.read_bytes() == b"decisions, one a line\n" * 100


async def grown(path: Path) -> None:
    async with on(path) as store:
        await store.claim([mark(str(n)) for n in range(2_000)])


@pytest.mark.parametrize("damage", [b"\0", b"\xff", b"\x0d"])
async def test_a_damaged_file_is_refused_when_it_is_opened(path: Path, damage: bytes) -> None:
    await grown(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(damage * 4096)
    await cannot_open(path, "damaged")


async def test_a_file_that_was_cut_off_is_refused(path: Path) -> None:
    await grown(path)
    os.truncate(path, path.stat().st_size // 2)
    await cannot_open(path, "damaged")


async def test_damage_in_an_open_file_is_never_a_mark_that_was_not_seen(path: Path) -> None:
    await grown(path)
    async with on(path) as store:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\0" * (path.stat().st_size - 4096))
        for n in range(20):
            store.database.connection.execute("PRAGMA shrink_memory")  # forget the pages as they were
            async with told("damaged"):
                await store.claim([mark(str(n))])


# ── what cannot be written ──────────────────────────────────────────────────────────────────────────────

WRITES: list[Callable[[SqliteStore], Coroutine[Any, Any, Any]]] = [
    lambda store: store.claim([mark("new")]),
    lambda store: store.put("new", b"v"),
    lambda store: store.swap("new", None, b"v"),
    lambda store: store.count("new", ttl=60),
    lambda store: store.delete("k"),
    lambda store: store.ping(),
]
NAMES = ["claim", "put", "swap", "count", "delete", "ping"]
writes = pytest.mark.parametrize("write", WRITES, ids=NAMES)


async def test_a_file_that_can_only_be_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await made(path)
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def read_only(address: str, **more: Any) -> sqlite3.Connection:
        return connect(address.replace("mode=rw", "mode=ro"), **more)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    await cannot_open(path, "read-only")


@writes
async def test_nothing_is_written_to_a_file_that_became_read_only(path: Path, write: Callable[[SqliteStore], Any]) -> None:
    await made(path)
    async with on(path) as store:
        store.database.connection.execute("PRAGMA query_only = ON")
        async with told("read-only"):
            await write(store)
        assert await store.get_many(["k"]) == {"k": b"v"}, "what is there can still be read"
        store.database.connection.execute("PRAGMA query_only = OFF")
        await write(store)


async def filled(store: SqliteStore) -> None:
    """Let the file grow no more, as on a full disk, and use up what is left in its pages."""
    connection = store.database.connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    await until_refused(lambda n: store.claim([mark(f"fill {n}")]))
    await until_refused(lambda n: store.put(f"fill {n}", b"v"))


async def until_refused(write: Callable[[int], Coroutine[Any, Any, Any]]) -> None:
    for n in range(1_000):
        try:
            await write(n)
        except Unavailable:
            return
    pytest.fail("there was space for everything")


async def test_on_a_full_disk_no_mark_is_claimed_and_none_of_several_is_set(path: Path) -> None:
    async with on(path) as store:
        await store.claim([mark()])
        await filled(store)
        many = [mark(f"many {n}") for n in range(300)]
        async with told("full"):
            await store.claim(many)
        assert await store.claim([mark()]) == mark(), "what was claimed before is still known"
        store.database.connection.execute("PRAGMA max_page_count = 1000000")
        assert await store.claim(many) is None, "there is space again, and none of them was set"


async def test_on_a_full_disk_no_value_is_put_and_the_old_one_stays(path: Path) -> None:
    async with on(path) as store:
        await store.put("k", b"v")
        await filled(store)
        big = b"w" * 100_000
        async with told("full"):
            await store.put("k", big)
        async with told("full"):
            await store.swap("k", b"v", big)
        assert await store.get_many(["k"]) == {"k": b"v"}
        store.database.connection.execute("PRAGMA max_page_count = 1000000")
        assert await store.swap("k", b"v", big) is True


# ── a file that is locked, gone or another ──────────────────────────────────────────────────────────────


@writes
async def test_a_file_that_others_lock_for_too_long_is_refused_within_the_timeout(path: Path, write: Callable[[SqliteStore], Any]) -> None:
    await made(path)
    other = sqlite3.connect(path, isolation_level=None)
    async with on(path, busy_timeout=60) as store:
        other.execute("BEGIN IMMEDIATE")
        clock = asyncio.get_running_loop().time
        began = clock()
        async with told("others wrote to the file for longer than the busy timeout"):
            await write(store)
        assert 0.05 <= clock() - began < 1
        assert await store.get_many(["k"]) == {"k": b"v"}, "reading waits for no writer"
        other.execute("ROLLBACK")
        await write(store)
    other.close()


@writes
async def test_nothing_is_written_to_a_file_that_was_moved_away(path: Path, write: Callable[[SqliteStore], Any]) -> None:
    async with on(path) as store:
        await store.put("k", b"v")
        aside = path.with_name("aside")
        path.rename(aside)
        async with told("its file is gone"):
            await write(store)
        async with told("its file is gone"):
            await store.get_many(["k"])
        aside.rename(path)
        await write(store)


async def test_a_file_that_took_the_place_of_the_open_one_is_not_asked(path: Path) -> None:
    async with on(path) as store:
        await store.claim([mark()])
        path.rename(path.with_name("aside"))
        path.touch(mode=0o600)
        async with told("another file has taken the place of the one that is open: start again"):
            await store.claim([mark()])


async def test_a_file_that_is_gone_is_missed_and_not_made_anew(path: Path) -> None:
    """Else a worker that starts again would accept whatever was spent before."""
    await made(path)
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    await cannot_open(path, f"its file is gone: put it back, .* to begin with nothing remove {path}-lock")
    assert not path.exists()
    elsewhere.rename(path)
    await made(path)
    path.unlink()
    path.with_name(f"{path.name}-lock").unlink()
    await made(path)


async def test_a_closed_store_answers_nothing(path: Path) -> None:
    store = on(path)
    async with store:
        pass
    async with told("closed"):
        await store.claim([mark()])


async def test_a_value_that_is_no_number_is_not_counted_up(path: Path) -> None:
    async with on(path) as store:
        await store.put("k", b"v")
        async with told("no counter"):
            await store.count("k", ttl=60)
        assert await store.get_many(["k"]) == {"k": b"v"}


async def test_a_mark_that_ends_at_no_time_is_not_claimed(path: Path) -> None:
    async with on(path) as store:
        with pytest.raises(Unavailable):
            await store.claim([mark("a"), Mark(kind="credential", key="b", expires_at=float("nan"))])
        assert await store.claim([mark("a")]) is None


async def test_no_refusal_names_a_key_or_a_value(path: Path) -> None:
    async with on(path) as store:
        await store.put("SECRET-KEY", b"SECRET-VALUE")
        store.database.connection.execute("PRAGMA query_only = ON")
        for write in (store.put("SECRET-KEY", b"SECRET-VALUE"), store.claim([mark("SECRET-KEY")]), store.count("SECRET-KEY", ttl=1)):
            with pytest.raises(Unavailable) as caught:
                await write
            assert "SECRET" not in f"{caught.value} {caught.value.facts}"
