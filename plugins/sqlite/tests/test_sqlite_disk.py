"""What is on the disk when a call returns, what is brought there a second later, and what is removed in time."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import Mark, Unavailable
from cambist.testing import MovableClock
from cambist_sqlite import settling
from cambist_sqlite import store as store_module
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore


@asynccontextmanager
async def running(path: Path, clock: MovableClock, **more: Any) -> AsyncIterator[SqliteStore]:
    """A store with its background at work."""
    tasks: list[asyncio.Task[None]] = []

    def beside(name: str, work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.get_running_loop().create_task(work))

    async with SqliteStore(SqliteSettings(path=path / "store.sqlite", **more), clock, beside) as store:
        yield store
        assert not any(task.done() for task in tasks), "what runs in the background never ends by itself"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def mark(key: str, lives: float = 60) -> Mark:
    return Mark(kind="credential", key=key, expires_at=MovableClock().now + lives)


class Syncs:
    """Stands in for `os.fsync`, and counts; `failing` is what it raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.takes = 0, 0.0
        self.failing: OSError | None = None
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.count += 1
        time.sleep(self.takes)
        if self.failing:
            raise self.failing
        self._real(descriptor)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


# ── durability ──────────────────────────────────────────────────────────────────────────────────────────


async def test_put_swap_and_delete_wait_for_the_disk_and_claim_and_count_do_not(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, clock) as store:
        syncs, counts = Syncs(monkeypatch), []
        for call in (
            store.claim([mark("a")]),
            store.count("n", ttl=9),
            store.put("k", b"v"),
            store.swap("k", b"v", b"w"),
            store.delete("k"),
        ):
            await call
            counts.append(syncs.count)
    assert counts == [0, 0, 1, 2, 3]


async def test_the_log_that_is_synced_is_the_one_that_is_written(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, clock) as store:
        synced: list[tuple[os.stat_result, bool]] = []
        log = tmp_path / "store.sqlite-wal"

        def look(descriptor: int) -> None:
            synced.append((os.fstat(descriptor), b"a value of our own" in log.read_bytes()))

        monkeypatch.setattr(os, "fsync", look)
        await store.put("k", b"a value of our own")
        [(status, written)] = synced
        assert (status.st_ino, written) == (log.stat().st_ino, True)


async def test_one_sync_serves_all_who_wait(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, clock) as store:
        syncs = Syncs(monkeypatch)
        syncs.takes = 0.02
        await asyncio.gather(*(store.put(str(n), b"v") for n in range(50)))
        assert 1 <= syncs.count <= 3
        assert len(await store.get_many([str(n) for n in range(50)])) == 50


async def test_who_comes_while_a_sync_runs_waits_for_the_next(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, clock) as store:
        syncs = Syncs(monkeypatch)
        syncs.takes = 0.05
        first = asyncio.create_task(store.put("a", b"v"))
        await asyncio.sleep(0.02)
        await store.put("b", b"v")
        assert syncs.count == 2
        assert first.done()


async def test_a_claim_does_not_wait_while_the_disk_works(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, clock) as store:
        Syncs(monkeypatch).takes = 0.2
        put = asyncio.create_task(store.put("a", b"v"))
        await asyncio.sleep(0.02)
        assert await store.claim([mark("a")]) is None
        assert not put.done()
        await put


async def test_who_gives_up_waiting_leaves_the_store_in_order(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, clock) as store:
        Syncs(monkeypatch).takes = 0.05
        puts = [asyncio.create_task(store.put(str(n), b"v")) for n in range(6)]
        await asyncio.sleep(0.01)
        for put in puts[::2]:
            put.cancel()
        ended = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(end) for end in ended] == [asyncio.CancelledError, type(None)] * 3
        await store.put("after", b"v")


async def test_a_disk_that_does_not_answer_is_told(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, clock) as store:
        Syncs(monkeypatch).takes = 0.2
        monkeypatch.setattr(settling, "PATIENCE", 0.05)
        with pytest.raises(Unavailable) as caught:
            await store.put("a", b"v")
        assert caught.value.facts["cause"] == "the disk does not answer"


async def test_a_disk_that_failed_once_is_not_trusted_again(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed fsync the kernel drops the pages and the next fsync succeeds: what was acknowledged would be gone."""
    async with running(tmp_path, clock) as store:
        syncs = Syncs(monkeypatch)
        syncs.failing = OSError(errno.EIO, "Input/output error")
        with pytest.raises(Unavailable) as caught:
            await store.put("a", b"v")
        assert str(caught.value.facts["cause"]).startswith("the disk failed")
        syncs.failing = None
        for call in (store.put("a", b"v"), store.claim([mark("a")]), store.get_many(["a"]), store.ping()):
            with pytest.raises(Unavailable):
                await call


# ── folding the log back ────────────────────────────────────────────────────────────────────────────────


def in_the_file(path: Path, value: bytes) -> bool:
    return value in (path / "store.sqlite").read_bytes()


async def test_what_did_not_wait_for_the_disk_is_brought_there_soon(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "FOLDING", 0.05)
    async with running(tmp_path, clock) as store:
        await store.count("a counter of our own", ttl=60)
        assert not in_the_file(tmp_path, b"a counter of our own")
        async with asyncio.timeout(5):
            while not in_the_file(tmp_path, b"a counter of our own"):
                await asyncio.sleep(0.01)


async def test_an_idle_store_leaves_the_disk_alone(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FOLDING", 0.01)
    async with running(tmp_path, clock) as store:
        folded: list[None] = []
        fold = store.database.settling.fold

        async def counted() -> bool:
            folded.append(None)
            return await fold()

        monkeypatch.setattr(store.database.settling, "fold", counted)
        await store.claim([mark("a")])
        await asyncio.sleep(0.2)
        await store.get_many(["a"])
        await asyncio.sleep(0.1)
        assert 1 <= len(folded) <= 2


async def test_the_log_of_a_busy_store_does_not_grow_for_ever(tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LONG", 50)
    async with running(tmp_path, clock) as store:
        pages = 0

        async def claim(times: float) -> None:
            nonlocal pages
            while times > 0:
                await store.claim([mark(f"{pages}")])
                await asyncio.sleep(0)
                pages, times = pages + 1, times - 1

        for _ in range(12):
            await claim(200)
            busy = asyncio.create_task(claim(float("inf")))
            await store.database.fold()
            busy.cancel()
        size = (tmp_path / "store.sqlite-wal").stat().st_size
        assert size < pages * 4096 / 2, "every claim is at least a page of the log"


async def test_folding_that_fails_is_told_and_tried_again(
    tmp_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "FOLDING", 0.01)
    async with running(tmp_path, clock) as store:
        fold, failures = store.database.settling._fold, [sqlite3.OperationalError("a disk of straw")]

        def failing() -> bool:
            if failures:
                raise failures.pop()
            return fold()

        monkeypatch.setattr(store.database.settling, "_fold", failing)
        await store.count("a counter of our own", ttl=60)
        async with asyncio.timeout(5):
            while not in_the_file(tmp_path, b"a counter of our own"):
                await asyncio.sleep(0.01)
    assert "fold failed: a disk of straw" in caplog.text


# ── the sweep ───────────────────────────────────────────────────────────────────────────────────────────


def rows(path: Path) -> tuple[int, int]:
    connection = sqlite3.connect(path / "store.sqlite")
    counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("marks", "entries")]
    connection.close()
    return counts[0], counts[1]


@pytest.fixture
def passing(clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the clock moves, as much time has passed."""
    monkeypatch.setattr("cambist_sqlite.store.monotonic", clock)


@pytest.mark.usefixtures("passing")
async def test_the_sweep_removes_what_has_expired_and_nothing_else(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark(f"short {n}", lives=10) for n in range(500)])
        await store.claim([mark(f"long {n}", lives=1000) for n in range(300)])
        for n in range(300):
            await store.count(f"short {n}", ttl=10)
        await store.put("", b"v", ttl=10)
        await store.put("long", b"v", ttl=1000)
        await store.put("for ever", b"v")
        clock.move(10)
        await store.sweep()
        assert rows(tmp_path) == (300, 2)
        assert await store.claim([mark("long 7")]) is not None


async def work_of(store: SqliteStore, call: Coroutine[Any, Any, Any]) -> tuple[list[str], int]:
    """The statements that a call runs, and the instructions of SQLite's virtual machine that they take."""
    statements: list[str] = []
    instructions = 0

    def counted() -> int:
        nonlocal instructions
        instructions += 1
        return 0

    connection = store.database.connection
    connection.set_trace_callback(lambda statement: statements.append(statement.split()[0]))
    connection.set_progress_handler(counted, 1)
    await call
    connection.set_progress_handler(None, 0)
    connection.set_trace_callback(None)
    return statements, instructions


async def test_a_request_does_nothing_for_what_has_expired(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        calls: list[Callable[[str], Coroutine[Any, Any, Any]]] = [
            lambda key: store.claim([mark(key)]),
            lambda key: store.count(key, ttl=60),
            lambda key: store.get_many([key]),
        ]
        for call in calls:  # statements are prepared once
            await call("first")
        alone = [await work_of(store, call("second")) for call in calls]
        await store.claim([mark(f"{n}", lives=10) for n in range(3_000)])
        for n in range(500):
            await store.count(f"{n}", ttl=10)
        clock.move(11)
        assert [await work_of(store, call("third")) for call in calls] == alone
        assert [statements for statements, _ in alone] == [
            ["BEGIN", "INSERT", "COMMIT"],
            ["BEGIN", "SELECT", "INSERT", "COMMIT"],
            ["BEGIN", "SELECT", "ROLLBACK"],
        ]


async def test_what_was_spent_is_not_forgotten_by_a_clock_that_leaps_ahead_and_comes_back(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark("spent", lives=600)])
        await store.put("revoked", b"v", ttl=600)
        clock.move(86_400)
        await store.sweep()
        clock.move(-86_400)
        assert await store.claim([mark("spent")]) is not None
        assert await store.get_many(["revoked"]) == {"revoked": b"v"}


@pytest.mark.parametrize("before", [0, 1], ids=["opened-before", "swept-before"])
async def test_nor_by_a_process_that_began_while_it_was_ahead(tmp_path: Path, clock: MovableClock, before: int) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark("spent", lives=600)])
        await store.put("revoked", b"v", ttl=600)
        for _ in range(before):
            await store.sweep()
    clock.move(86_400)
    async with running(tmp_path, clock) as store:
        await store.sweep()
    clock.move(-86_400)
    async with running(tmp_path, clock) as store:
        await store.sweep()
        assert await store.claim([mark("spent")]) is not None
        assert await store.get_many(["revoked"]) == {"revoked": b"v"}


async def test_a_mark_that_is_still_there_is_taken_whatever_the_clock_says(tmp_path: Path, clock: MovableClock) -> None:
    """The clock may leap between the look at a credential and its claim."""
    async with running(tmp_path, clock) as store:
        await store.claim([mark("spent", lives=600)])
        clock.move(86_400)
        assert await store.claim([mark("spent")]) is not None


@pytest.mark.usefixtures("passing")
async def test_the_sweep_runs_by_itself(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock, sweep=0.02) as store:
        await store.claim([mark(f"{n}", lives=10) for n in range(500)])
        await store.count("a", ttl=10)
        clock.move(11)
        async with asyncio.timeout(5):
            while rows(tmp_path) != (0, 0):
                await asyncio.sleep(0.01)


async def test_a_sweep_that_cannot_keep_what_time_it_is_removes_nothing(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark(f"{n}") for n in range(500)])
        await store.put("for ever", b"v")
        other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store.sweep()
        other.close()
        assert rows(tmp_path) == (500, 1)


@pytest.mark.usefixtures("passing")
async def test_a_mark_may_be_claimed_again_once_it_is_swept_and_a_refused_claim_does_not_prolong_it(
    tmp_path: Path, clock: MovableClock
) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark("a", lives=60)])
        assert await store.claim([mark("a", lives=1000)]) is not None
        clock.move(59.999)
        await store.sweep()
        assert await store.claim([mark("a")]) is not None
        clock.move(0.001)
        await store.sweep()
        assert await store.claim([mark("a", lives=120)]) is None
        clock.move(59)
        await store.sweep()
        assert await store.claim([mark("a")]) is not None, "the second claim has an end of its own"


@pytest.mark.usefixtures("passing")
async def test_a_sweep_that_fails_is_told_and_tried_again(tmp_path: Path, clock: MovableClock, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, clock, sweep=0.02) as store:
        await store.claim([mark("a", lives=10)])
        clock.move(10)
        store.database.connection.execute("PRAGMA query_only = ON")
        async with asyncio.timeout(5):
            while "sweep failed: the file, or the disk it is on, is read-only" not in caplog.text:
                await asyncio.sleep(0.01)
        store.database.connection.execute("PRAGMA query_only = OFF")
        async with asyncio.timeout(5):
            while rows(tmp_path) != (0, 0):
                await asyncio.sleep(0.01)


@pytest.mark.usefixtures("passing")
async def test_requests_are_answered_during_a_sweep(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        await store.claim([mark(f"{n}", lives=10) for n in range(3_000)])
        clock.move(10)
        sweep = asyncio.create_task(store.sweep())
        await asyncio.sleep(0)
        for n in range(5):
            assert await store.claim([mark(f"new {n}", lives=60)]) is None
            await asyncio.sleep(0)
        assert not sweep.done()
        await sweep
        assert rows(tmp_path) == (5, 0)


async def test_a_ping_really_writes(tmp_path: Path, clock: MovableClock) -> None:
    async with running(tmp_path, clock) as store:
        log = tmp_path / "store.sqlite-wal"
        before = log.stat().st_size
        await store.ping()
        assert log.stat().st_size > before
        assert rows(tmp_path) == (0, 0)
