"""The store over processes, as workers and commands share it, and after a process was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cambist import Mark, Unavailable
from cambist.store import Namespaced
from cambist_sqlite.file import connect
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore

FAR = 4_102_444_800.0
"""The year 2100: no mark of these tests expires."""

PRELUDE = """
import asyncio, sys, time
from pathlib import Path
from cambist import Mark
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore

path, begin, who = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
def mark(key): return Mark(kind="credential", key=key, expires_at=4_102_444_800.0)
def beside(name, work): tasks.append(asyncio.get_running_loop().create_task(work))
tasks = []
async def together():
    await asyncio.sleep(begin - time.time())
def opened(): return SqliteStore(SqliteSettings(path=path), time.time, beside)
def end():
    for task in tasks: task.cancel()
"""


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    async with SqliteStore(SqliteSettings(path=path), time.time, not_now) as store:
        yield store


@contextmanager
def started(script: str, path: Path, number: int = 1, within: float = 0) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that run the script, each with a number of its own; they have `within` seconds until all begin at one time."""
    begin = str(time.time() + within)
    commands = [[sys.executable, "-c", PRELUDE + script, str(path), begin, str(n)] for n in range(number)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each of them printed; all must end well."""
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return told


def mark(key: str) -> Mark:
    return Mark(kind="credential", key=key, expires_at=FAR)


CLAIMING = """
async def main():
    async with opened() as store:
        await together()
        for n in range(50):
            answers = await asyncio.gather(store.claim([mark("one")]), store.claim([mark("each"), mark(f"round {n}")]))
            print(*["won" if answer is None else "lost" for answer in answers])
            if await store.claim([mark(f"all {n}")]) is None: print(f"all {n}")
            await asyncio.sleep(0)
        end()
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
async def test_of_four_processes_that_claim_one_mark_fifty_times_each_exactly_one_wins_once(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with started(CLAIMING, path, 4, within=2) as processes:
        lines = [line for told in outputs(processes) for line in told.splitlines()]
    ones, eaches = zip(*(line.split() for line in lines if not line.startswith("all")), strict=True)
    assert Counter(ones) == {"won": 1, "lost": 199}
    assert Counter(eaches) == {"won": 1, "lost": 199}
    assert Counter(line for line in lines if line.startswith("all")) == {f"all {n}": 1 for n in range(50)}
    async with opened(path) as store:
        assert await store.claim([mark("one")]) == mark("one")
        free = [n for n in range(50) if await store.claim([mark(f"round {n}")]) is None]
    assert len(free) == 49, "all or none: only the round that was won is marked"


ROUNDS = """
from cambist import Unavailable
async def claim(store, n):
    try: return "won" if await store.claim([mark(f"round {n}")]) is None else "lost"
    except Unavailable: return "refused"
async def main():
    async with opened() as store:
        for n in range(20):
            await asyncio.sleep(begin + n * 0.05 - time.time())
            for answer in await asyncio.gather(*(claim(store, n) for _ in range(13 if who in "01" else 12))): print(n, answer)
        end()
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
async def test_of_fifty_claims_at_once_over_four_processes_exactly_one_wins_in_each_of_twenty_rounds(tmp_path: Path) -> None:
    with started(ROUNDS, tmp_path / "store.sqlite", 4, within=2) as processes:
        lines = [line.split() for told in outputs(processes) for line in told.splitlines()]
    for n in range(20):
        answers = Counter(answer for number, answer in lines if number == str(n))
        assert (answers.total(), answers["won"]) == (50, 1)


FULL = """
import resource
from cambist import Unavailable
def refused(error): return any(word in str(error.facts["cause"]) for word in ("full", "the disk failed"))
async def main():
    async with opened() as store:
        assert await store.claim([mark("before")]) is None
        await store.put("k", b"v")
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
        claimed, n = [], 0
        try:
            while True:
                assert await store.claim([mark(f"{n} x"), mark(f"{n} y")]) is None
                claimed.append(n)
                n += 1
        except Unavailable as error: assert refused(error), error.facts
        try: await store.put("k", b"w" * 500_000)
        except Unavailable as error: assert refused(error), error.facts
        else: raise AssertionError("there was space")
        assert await store.get_many(["k"]) == {"k": b"v"}
        assert await store.claim([mark("before")]) is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert await store.claim([mark(f"{n} x"), mark(f"{n} y")]) is None, "nothing of the refused claim was set"
        await store.put("k", b"w" * 500_000)
        for n in claimed: assert await store.claim([mark(f"{n} y")]) is not None
        print(len(claimed) > 5)
        end()
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
async def test_a_file_that_may_not_grow_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    """As on a full disk, but by the operating system itself: files of that process end at a size."""
    with started(FULL, tmp_path / "store.sqlite") as processes:
        assert outputs(processes) == ["True\n"]


COUNTING = """
async def main():
    async with opened() as store:
        await together()
        for n in range(50):
            await store.count("n", ttl=3600)
            while True:
                before = (await store.get_many(["sum"])).get("sum")
                if await store.swap("sum", before, str(int(before or 0) + 1).encode()): break
        end()
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
async def test_counters_and_swaps_of_several_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with started(COUNTING, path, 3, within=2) as processes:
        outputs(processes)
    async with opened(path) as store:
        assert await store.get_many(["n", "sum"]) == {"n": b"150", "sum": b"150"}


OPENING = """
async def main():
    await together()
    async with opened() as store:
        await store.put(who, b"here")
        end()
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
async def test_processes_that_open_a_new_file_at_the_same_time_all_succeed(tmp_path: Path) -> None:
    for attempt in range(2):
        path = tmp_path / f"store {attempt}.sqlite"
        with started(OPENING, path, 4, within=2) as processes:
            outputs(processes)
        async with opened(path) as store:
            assert {key async for key, _ in store.scan("")} == {"0", "1", "2", "3"}


KILLED = """
async def main():
    async with opened() as store:
        n = 0
        while True:
            assert await store.claim([mark(f"first {n}"), mark(f"second {n}")]) is None
            if n % 10 == 0: await store.put("last", str(n).encode())
            print(n, flush=True)
            n += 1
asyncio.run(main())
"""


@pytest.mark.row("P-sqlite")
@pytest.mark.parametrize("after", [0.0, 0.05, 1.2])
async def test_every_mark_that_was_claimed_before_the_process_was_killed_is_still_there(tmp_path: Path, after: float) -> None:
    path = tmp_path / "store.sqlite"
    with started(KILLED, path) as [process]:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
        claimed = [0, *map(int, process.stdout.read().splitlines())]
    async with opened(path) as store:
        for n in claimed:
            assert await store.claim([mark(f"first {n}")]) == mark(f"first {n}")
            assert await store.claim([mark(f"second {n}")]) == mark(f"second {n}")
        # The claim that was under way is there whole or not at all.
        unknown = [await store.claim([mark(f"{half} {claimed[-1] + 1}")]) is None for half in ("first", "second")]
        assert unknown[0] == unknown[1]
        assert int((await store.get_many(["last"]))["last"]) >= claimed[-1] // 10 * 10


HOLDING = """
import sqlite3
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.row("P-sqlite")
async def test_a_process_that_dies_while_it_writes_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with opened(path) as store:
        with started(HOLDING, path) as [process]:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            claim = asyncio.create_task(store.claim([mark("a")]))
            await asyncio.sleep(0.02)
            assert not claim.done()
            os.kill(process.pid, signal.SIGKILL)
            assert await claim is None


@pytest.mark.row("P-sqlite")
async def test_a_mark_of_one_process_and_namespace_is_taken_in_another_process_and_no_other_namespace(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    script = """
from cambist.store import Namespaced
async def main():
    async with opened() as store:
        print(await Namespaced(store, "zone/a").claim([mark("m")]))
        end()
asyncio.run(main())
"""
    with started(script, path) as processes:
        assert outputs(processes) == ["None\n"]
    async with opened(path) as store:
        assert await Namespaced(store, "zone/a").claim([mark("m")]) == mark("m")
        assert await Namespaced(store, "zone/b").claim([mark("m")]) is None


# ── threads ─────────────────────────────────────────────────────────────────────────────────────────────


def in_threads(number: int, work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def told(n: int) -> None:
        try:
            work(n)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=told, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_of_threads_that_open_a_new_file_and_claim_one_mark_one_wins(tmp_path: Path) -> None:
    won: list[int] = []
    ready = threading.Barrier(4)

    async def claim(n: int) -> None:
        ready.wait()
        async with opened(tmp_path / "store.sqlite") as store:
            for _ in range(25):
                with suppress(Unavailable):  # a machine that is busy may refuse; it must never let two win
                    won.extend([n] if await store.claim([mark("one")]) is None else [])

    in_threads(4, lambda n: asyncio.run(claim(n)))
    assert len(won) == 1


TRYING = """
import sqlite3
try:
    sqlite3.connect(path, timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
    print("the lock was dropped")
except sqlite3.OperationalError as error:
    print(error)
"""


async def test_opening_and_closing_the_file_once_more_drops_no_lock_of_this_process(tmp_path: Path) -> None:
    """POSIX drops all of them with any descriptor of the file; SQLite knows that, so nobody but SQLite may open the file."""
    path = tmp_path / "store.sqlite"
    async with opened(path) as store:
        store.database.connection.execute("BEGIN IMMEDIATE")
        once_more = connect(path)
        once_more.execute("SELECT count(*) FROM marks").fetchone()
        once_more.close()
        with started(TRYING, path) as processes:
            assert outputs(processes) == ["database is locked\n"]
        store.database.connection.execute("ROLLBACK")
