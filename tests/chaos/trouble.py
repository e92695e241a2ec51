"""What can happen to a service: each trouble begins, lasts a while, and ends; then the service has to be there again by itself."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from cambist.settings import parse
from cambist.sts import Sts

from .stage import Stage

Trouble = Callable[[Stage, random.Random], None]
HOUR, DAY = 3600.0, 86_400.0


def a_worker_is_killed(stage: Stage, chance: random.Random) -> None:
    with suppress(ProcessLookupError):
        os.kill(chance.choice(_alive(stage)), signal.SIGKILL)


def all_workers_are_killed(stage: Stage, chance: random.Random) -> None:
    for pid in _alive(stage):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def the_supervisor_is_killed(stage: Stage, chance: random.Random) -> None:
    """Its workers end with it; whoever looks after the machine starts it again."""
    os.kill(stage.running.supervisor, signal.SIGKILL)
    stage.start()


def everything_is_killed(stage: Stage, chance: random.Random) -> None:
    for pid in (*_alive(stage), stage.running.supervisor):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stage.start()


def the_disk_is_full(stage: Stage, chance: random.Random) -> None:
    """No file of the workers may grow any more: neither the ledger nor the store."""
    pids = _alive(stage)
    for pid in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    time.sleep(chance.uniform(0.1, 0.5))
    for pid in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def the_store_is_locked(stage: Stage, chance: random.Random) -> None:
    connection = sqlite3.connect(stage.folder / "store.sqlite", timeout=5, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(chance.uniform(0.3, 1.0))
    connection.execute("ROLLBACK")
    connection.close()


def the_clock_leaps(stage: Stage, chance: random.Random) -> None:
    leap = chance.choice([HOUR, -HOUR, DAY, -DAY])
    stage.clock.move(leap)
    time.sleep(chance.uniform(0.2, 0.6))
    stage.clock.move(-leap)


def the_key_is_rotated_and_a_worker_killed(stage: Stage, chance: random.Random) -> None:
    async def rotate() -> None:
        async with Sts(parse(stage.settings)).only_keys() as keys:
            await keys.rotate("default")

    asyncio.run(rotate())
    a_worker_is_killed(stage, chance)


TROUBLES: tuple[Trouble, ...] = (
    a_worker_is_killed,
    all_workers_are_killed,
    the_supervisor_is_killed,
    everything_is_killed,
    the_disk_is_full,
    the_store_is_locked,
    the_clock_leaps,
    the_key_is_rotated_and_a_worker_killed,
)


def named(trouble: Trouble) -> str:
    return trouble.__name__.replace("_", " ")


def _alive(stage: Stage) -> list[int]:
    """The workers that serve; 0 stands for one that is being started again."""
    while not (pids := [pid for pid in stage.running.pids if pid]):
        time.sleep(0.01)
    return pids
