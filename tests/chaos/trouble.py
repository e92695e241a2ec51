"""What can happen to a service: each trouble begins, lasts a while, and ends; then the service has to be there again by itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cambist.settings import parse
from cambist.sts import Sts

from .disk import full
from .stage import SWEEP, Stage

Trouble = Callable[[Stage, random.Random], float]
"""Returns when it was over: from then on the service has to be there again, in seconds of `time.monotonic`."""

HOUR, DAY = 3600.0, 86_400.0
MISSED = "put it back, or restore a backup"
"""What a worker says that cannot open because the store is gone."""


def a_worker_is_killed(stage: Stage, chance: random.Random) -> float:
    began = time.monotonic()
    _kill(chance.choice(_alive(stage)))
    return began


def all_workers_are_killed(stage: Stage, chance: random.Random) -> float:
    began = time.monotonic()
    _kill(*_alive(stage))
    return began


def the_supervisor_is_killed(stage: Stage, chance: random.Random) -> float:
    """Its workers end with it; whoever looks after the machine starts it again."""
    began = time.monotonic()
    _kill(stage.running.supervisor)
    stage.start()
    return began


def everything_is_killed(stage: Stage, chance: random.Random) -> float:
    began = time.monotonic()
    _kill(*_alive(stage), stage.running.supervisor)
    stage.start()
    return began


def the_disk_is_full(stage: Stage, chance: random.Random) -> float:
    """Neither the ledger nor the store nor a key file can grow any more."""
    with full(stage.folder, _alive(stage)):
        time.sleep(chance.uniform(0.1, 0.5))
    return time.monotonic()


def the_disk_is_full_and_a_worker_killed(stage: Stage, chance: random.Random) -> float:
    """The one that takes its place cannot open while there is no room."""
    with full(stage.folder, _alive(stage)):
        a_worker_is_killed(stage, chance)
        time.sleep(chance.uniform(0.1, 0.5))
    return time.monotonic()


def the_store_is_locked(stage: Stage, chance: random.Random) -> float:
    connection = sqlite3.connect(stage.store, timeout=5, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(chance.uniform(0.3, 1.0))
    connection.execute("ROLLBACK")
    connection.close()
    return time.monotonic()


def the_store_is_removed_and_a_worker_killed(stage: Stage, chance: random.Random) -> float:
    """A store that is made anew in its place would know of nothing that was spent. It is put back, as one finds out what one did."""
    names = [path.name for path in stage.folder.glob(f"{stage.store.name}*") if not path.name.endswith("-lock")]
    for name in names:
        (stage.folder / name).rename(stage.folder / f"away-{name}")
    killed, until, before = chance.choice(_alive(stage)), time.monotonic() + 10, stage.running.log.count(MISSED)
    _kill(killed)
    while time.monotonic() < until and stage.running.log.count(MISSED) == before and not _replaced(stage, killed):
        time.sleep(0.02)
    time.sleep(chance.uniform(0.3, 0.6))  # what was spent is sent again meanwhile
    for name in names:
        (stage.folder / f"away-{name}").rename(stage.folder / name)
    return time.monotonic()


def the_clock_leaps(stage: Stage, chance: random.Random) -> float:
    with _leapt(stage, chance.choice([HOUR, -HOUR, DAY, -DAY])):
        time.sleep(chance.uniform(2 * SWEEP, 4 * SWEEP))
    return time.monotonic()


def everything_is_killed_while_the_clock_is_wrong(stage: Stage, chance: random.Random) -> float:
    """What begins by a clock that is a day ahead must not take everything for expired."""
    with _leapt(stage, chance.choice([DAY, DAY, -DAY])):
        everything_is_killed(stage, chance)
        time.sleep(3 * SWEEP)
    return time.monotonic()


def the_key_is_rotated_and_a_worker_killed(stage: Stage, chance: random.Random) -> float:
    _rotate(stage)
    return a_worker_is_killed(stage, chance)


def the_key_is_rotated_while_the_clock_is_ahead(stage: Stage, chance: random.Random) -> float:
    with _leapt(stage, DAY):
        _rotate(stage)
        time.sleep(SWEEP)
    return time.monotonic()


def the_writing_of_a_key_is_killed(stage: Stage, chance: random.Random) -> float:
    """`cambist keys rotate`, killed at the moment at which its new file is seen, or a little later."""
    keys = stage.folder / "keys"
    with stage.command("keys", "rotate", "--zone", "default") as rotating:
        while rotating.poll() is None and not any(keys.glob(".default.*.tmp")):
            time.sleep(0.0002)
        time.sleep(chance.choice([0.0, 0.0, 0.001, 0.003]))
        rotating.kill()
    return time.monotonic()


TROUBLES: tuple[Trouble, ...] = (
    a_worker_is_killed,
    all_workers_are_killed,
    the_supervisor_is_killed,
    everything_is_killed,
    the_disk_is_full,
    the_disk_is_full_and_a_worker_killed,
    the_store_is_locked,
    the_store_is_removed_and_a_worker_killed,
    the_key_is_rotated_and_a_worker_killed,
    the_clock_leaps,
    the_key_is_rotated_while_the_clock_is_ahead,
    everything_is_killed_while_the_clock_is_wrong,
    the_writing_of_a_key_is_killed,
)


def named(trouble: Trouble) -> str:
    return trouble.__name__.replace("_", " ")


@contextmanager
def _leapt(stage: Stage, seconds: float) -> Iterator[None]:
    stage.clock.move(seconds)
    try:
        yield
    finally:
        stage.clock.move(-seconds)


def _rotate(stage: Stage) -> None:
    async def rotate() -> None:
        async with Sts(parse(stage.settings), clock=stage.clock).only_keys() as keys:
            await keys.rotate("default")

    asyncio.run(rotate())


def _kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _alive(stage: Stage) -> list[int]:
    """The workers that serve; 0 stands for one that is being started again."""
    while not (pids := [pid for pid in stage.running.pids if pid]):
        time.sleep(0.01)
    return pids


def _replaced(stage: Stage, pid: int) -> bool:
    """Whether another worker serves in the place of one that was killed."""
    with suppress(TimeoutError):
        stage.running.ready(0.01)
        return pid not in stage.running.pids
    return False
