"""The schema has versions: an older file is taken to the newest by one command, whole or not at all, and a newer one is refused."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cambist import Mark, Unavailable
from cambist_sqlite import schema
from cambist_sqlite.file import connect
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore
from cambist_sqlite.upkeep import Migrated, migrate

pytestmark = pytest.mark.row("P-sqlite")

TODAY = schema.newest()
NEXT = ("ALTER TABLE entries ADD COLUMN owner TEXT", "UPDATE entries SET owner = 'somebody'")
LATER = ("CREATE TABLE counters (key BLOB PRIMARY KEY, sum INTEGER NOT NULL) WITHOUT ROWID", "INSERT INTO counters VALUES (x'01', 7)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def planted(monkeypatch: pytest.MonkeyPatch, *steps: schema.Step) -> None:
    """The program as it will be when these versions have followed today's."""
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, *steps))


def on(path: Path) -> SqliteStore:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    return SqliteStore(SqliteSettings(path=path), time.time, not_now)


def mark(key: str) -> Mark:
    return Mark(kind="credential", key=key, expires_at=4_102_444_800.0)


async def used(path: Path) -> None:
    """A file as this program leaves it."""
    async with on(path) as store:
        await store.claim([mark("a")])
        await store.put("k", b"v")


def asked(path: Path, *questions: str) -> list[Any]:
    connection = sqlite3.connect(path)
    answers = [connection.execute(question).fetchall() for question in questions]
    connection.close()
    return answers


TABLES = "SELECT name, sql FROM sqlite_schema ORDER BY name"


@pytest.mark.parametrize("steps", [(NEXT,), (NEXT, LATER)], ids=["one-step", "two-steps"])
async def test_a_file_of_today_becomes_what_a_new_file_of_tomorrow_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[schema.Step, ...]
) -> None:
    await used(path)
    planted(monkeypatch, *steps)
    assert migrate(path) == Migrated(before=TODAY, after=TODAY + len(steps))
    async with on(path) as store:
        assert await store.claim([mark("a")]) == mark("a"), "no mark is lost"
        assert await store.get_many(["k"]) == {"k": b"v"}
    new = path.with_name("new.sqlite")
    async with on(new):
        pass
    assert asked(path, TABLES) == asked(new, TABLES)
    assert asked(path, "PRAGMA user_version", "SELECT owner FROM entries") == [[(TODAY + len(steps),)], [("somebody",)]]


async def test_each_older_version_is_taken_through_the_steps_that_it_lacks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, NEXT)
    await used(path)
    planted(monkeypatch, LATER)
    assert migrate(path) == Migrated(before=TODAY + 1, after=TODAY + 2)
    assert asked(path, "SELECT sum FROM counters", "SELECT owner FROM entries") == [[(7,)], [(None,)]], "the step before was not done again"


async def test_an_empty_file_is_version_0_and_becomes_the_newest(path: Path) -> None:
    path.touch(mode=0o600)
    assert migrate(path) == Migrated(before=0, after=TODAY)
    await used(path)


async def test_what_is_the_newest_already_stays_as_it_is(path: Path) -> None:
    await used(path)
    before = path.read_bytes()
    assert migrate(path) == Migrated(before=TODAY, after=TODAY)
    assert asked(path, "PRAGMA user_version", "SELECT count(*) FROM marks") == [[(TODAY,)], [(1,)]]
    assert len(path.read_bytes()) == len(before)


async def test_a_service_refuses_an_older_file_and_names_the_command(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(path)
    before = path.read_bytes()
    planted(monkeypatch, NEXT)
    with pytest.raises(Unavailable) as refused:
        async with on(path):
            pass
    said = f"the file has version {TODAY} of the schema, and this program works with {TODAY + 1}: run `cambist store migrate`"
    assert refused.value.facts == {"what": "the store", "cause": said}
    assert path.read_bytes() == before


async def test_a_service_refuses_a_newer_file_in_a_sentence_and_so_does_the_command(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as tomorrow:
        planted(tomorrow, NEXT)
        await used(path)
    before = path.read_bytes()
    said = f"the file has version {TODAY + 1} of the schema, and this program knows none above {TODAY}: a newer program wrote it"
    with pytest.raises(Unavailable) as refused:
        async with on(path):
            pass
    assert refused.value.facts["cause"] == said
    with pytest.raises(Unavailable) as refused:
        migrate(path)
    assert refused.value.facts["cause"] == said
    assert path.read_bytes() == before


async def test_a_step_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(path)
    before = asked(path, TABLES, "SELECT * FROM entries", "PRAGMA user_version")
    with monkeypatch.context() as broken:
        planted(broken, NEXT, ("CREATE TABLE half (a)", "INSERT INTO nowhere VALUES (1)"))
        with pytest.raises(Unavailable) as refused:
            migrate(path)
        assert "nowhere" in str(refused.value.facts["cause"])
    assert asked(path, TABLES, "SELECT * FROM entries", "PRAGMA user_version") == before
    await used(path)


async def test_a_file_that_is_in_use_is_not_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on(path) as store:
        with monkeypatch.context() as tomorrow:
            planted(tomorrow, NEXT)
            with pytest.raises(Unavailable) as refused:
                migrate(path)
        assert refused.value.facts["cause"] == "the file is in use: stop the service first"
        assert await store.claim([mark("a")]) is None


async def test_a_damaged_file_is_not_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await used(path)
    damaged = bytearray(path.read_bytes())
    damaged[4096 : 4096 + 64] = b"\xff" * 64
    path.write_bytes(damaged)
    planted(monkeypatch, NEXT)
    with pytest.raises(Unavailable) as refused:
        migrate(path)
    assert "damaged" in str(refused.value.facts["cause"])
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("what", [None, b"text of somebody\n" * 300], ids=["nothing", "text"])
async def test_what_is_no_store_is_made_none(path: Path, what: bytes | None) -> None:
    if what is None:
        with pytest.raises(Unavailable) as refused:
            migrate(path)
        assert refused.value.facts["cause"] == f"there is no file {path}"
        assert not path.exists()
    else:
        path.write_bytes(what)
        with pytest.raises(Unavailable) as refused:
            migrate(path)
        assert refused.value.facts["cause"] == "the file is no SQLite database"
        assert path.read_bytes() == what


def test_a_step_that_was_released_is_never_changed() -> None:
    """What other machines have is what this text made: a change belongs into a step more."""
    assert schema.STEPS[0] == (
        "CREATE TABLE marks (key BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires_at REAL)",
    )
    assert schema.STEPS[1] == ("CREATE TABLE reckoning (now REAL NOT NULL, at REAL NOT NULL, ahead REAL NOT NULL, since REAL NOT NULL)",)


async def test_a_file_of_the_first_version_becomes_one_of_today_and_reckons_from_then_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(path)
    with monkeypatch.context() as then:
        then.setattr(schema, "STEPS", schema.STEPS[:1])
        schema.prepare(connection)
    connection.execute("INSERT INTO entries VALUES (x'6b', 'v', NULL)")
    connection.close()
    assert migrate(path) == Migrated(before=1, after=TODAY)
    await used(path)
    assert asked(path, "SELECT count(*), max(ahead) FROM reckoning") == [[(1, 0.0)]]


def test_the_version_is_read_at_one_moment_while_another_process_makes_the_tables(path: Path) -> None:
    """Else the file would be nobody's: without our mark, which was read before, and with tables, which were read after."""
    maker, reader = connect(path), connect(path)
    prepare_wal(maker)
    made = False

    def making(statement: str) -> None:
        nonlocal made
        if "user_version" in statement and not made:
            made = True
            schema.prepare(maker)

    reader.set_trace_callback(making)
    assert schema.version(reader) == 0
    assert made
    assert schema.version(reader) == schema.newest()
    for connection in (maker, reader):
        connection.close()


def prepare_wal(connection: sqlite3.Connection) -> None:
    """What the other process has done already when the reader begins: so that neither waits for the other."""
    connection.execute("PRAGMA journal_mode = WAL")
