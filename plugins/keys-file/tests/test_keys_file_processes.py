"""Several stores over one directory, in threads and in processes: one key, one rotation, and nothing half done."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from cambist import Rotation, Unavailable
from cambist.testing import MovableClock
from cambist_keys_file import key_file
from cambist_keys_file.key_file import KeyFile
from cambist_keys_file.testing import KEK, kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

# ── in one process ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_stores_that_race_in_threads_make_one_key(tmp_path: Path, alg: str) -> None:
    together = threading.Barrier(8)

    def race(_: int) -> str:
        store = kept(tmp_path, algorithm=alg)
        together.wait()
        return asyncio.run(signer(store))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(race, range(8)))) == 1
    assert asyncio.run(kept(tmp_path).ring("default")).generation == 1


def test_stores_that_rotate_at_once_in_threads_make_one_key(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def race(_: int) -> Rotation:
        store = kept(tmp_path)
        together.wait()
        return asyncio.run(store.rotate("default"))

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(race, range(8)))
    assert len({rotation.kid for rotation in done}) == 1
    assert [rotation.rotated for rotation in done].count(True) == 1


async def test_many_requests_that_find_no_key_queue_for_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = []
    locked = KeyFile.locked

    def counted(file: KeyFile) -> AbstractContextManager[None]:
        locks.append(file.zone)
        return locked(file)

    monkeypatch.setattr(KeyFile, "locked", counted)
    store = kept(tmp_path)
    found = await asyncio.gather(*(signer(store) for _ in range(200)))
    assert len(set(found)) == 1
    assert locks == ["default"]


async def test_who_hangs_up_while_the_first_key_is_made_leaves_a_sound_file(tmp_path: Path) -> None:
    store = kept(tmp_path, algorithm="RS256")
    asking = asyncio.create_task(signer(store))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await signer(store) == await signer(kept(tmp_path))


async def test_another_store_notices_a_rotation_within_a_second(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    first = await signer(one)
    assert await kids(other) == [first]
    new = (await one.rotate("default")).kid
    assert await kids(one) == [new, first]
    clock.move(0.999)
    assert await kids(other) == [first]
    clock.move(0.001)
    assert await kids(other) == [new, first]


async def test_another_store_notices_a_withdrawn_key_within_a_second(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    stolen = await signer(other)
    new = (await one.rotate("default", compromised=True)).kid
    clock.move(1)
    assert await signer(other) == new != stolen
    assert await kids(other) == [new]


async def test_the_file_is_looked_at_once_a_second_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await store.rotate("default")
    looks = []
    read = KeyFile.read

    def counted(file: KeyFile) -> bytes | None:
        looks.append(clock())
        return read(file)

    monkeypatch.setattr(KeyFile, "read", counted)
    clock.move(1)
    for _ in range(50):
        await signer(store)
        await kids(store)
        clock.move(0.0625)
    assert looks == [looks[0] + second for second in range(4)]


async def test_a_clock_that_steps_back_does_not_stop_the_looking(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    await signer(one)
    await signer(other)
    new = (await one.rotate("default", compromised=True)).kid
    clock.move(-3600)
    assert await signer(other) == new


async def test_who_cannot_have_the_lock_is_refused_in_time_and_signs_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "LOCK_TIMEOUT", 0.05)
    store = kept(tmp_path)
    first = await signer(store)
    with (tmp_path / "keys" / "default.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as refused:
            await store.rotate("default")
        assert "another process holds its lock" in str(refused.value.facts["cause"])
        assert await signer(store) == first
        assert await signer(store, "blue")
    assert (await store.rotate("default")).rotated


# ── in several processes ────────────────────────────────────────────────────────────────────────────────

PROGRAM = """
import asyncio, json, os, signal, sys, time
from pathlib import Path
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys

folder, what = Path(sys.argv[1]), sys.argv[2]
store = FileKeys.opened(KeysFileSettings.model_validate({"directory": folder, "kek": os.environ["CAMBIST_KEK"]}), time.time)
if what == "killed":
    os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)

async def main():
    if what == "signing":
        return (await store.signing("default")).kid
    done = await store.rotate("default")
    return [done.rotated, done.kid]

print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(asyncio.run(main())))
"""


def started(folder: Path, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder / "keys"), what]
    environment = {**os.environ, "CAMBIST_KEK": KEK}
    running = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    return running


def race(folder: Path, what: str) -> list[Any]:
    """Two processes that do the same at the same time, and what they say."""
    both = [started(folder, what) for _ in range(2)]
    for running in both:
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
    said = [running.communicate(timeout=60) for running in both]
    assert [errors for _, errors in said] == ["", ""]
    return [json.loads(answer) for answer, _ in said]


def test_processes_that_race_make_one_key(tmp_path: Path) -> None:
    one, other = race(tmp_path, "signing")
    assert one == other
    assert asyncio.run(kids(kept(tmp_path))) == [one]


def test_processes_that_rotate_at_once_make_one_key(tmp_path: Path) -> None:
    asyncio.run(signer(kept(tmp_path)))
    done = race(tmp_path, "rotate")
    assert sorted(rotated for rotated, _ in done) == [False, True]
    assert len({kid for _, kid in done}) == 1


@pytest.mark.parametrize("has_keys", [True, False], ids=["old-keys", "no-keys"])
def test_a_process_that_is_killed_before_it_renames_leaves_the_old_state(tmp_path: Path, has_keys: bool) -> None:
    before = asyncio.run(signer(kept(tmp_path))) if has_keys else None
    running = started(tmp_path, "killed")
    running.communicate("\n", timeout=60)
    assert running.returncode == -signal.SIGKILL
    leftovers = list((tmp_path / "keys").glob(".default.*.tmp"))
    assert len(leftovers) == 1
    assert leftovers[0].stat().st_mode & 0o777 == 0o600
    store = kept(tmp_path)
    first = asyncio.run(signer(store))
    assert before in (first, None)
    assert asyncio.run(store.rotate("default")).rotated
    assert not list((tmp_path / "keys").glob(".*"))
