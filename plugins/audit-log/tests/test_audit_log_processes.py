"""Several processes with one ledger, killed in the middle: no line that was acknowledged is lost, and nothing is damaged."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_audit_log.findings import Kind
from cambist_audit_log.testing import ids, report, segments

DECIDING = """
import asyncio, json, os, sys, time
from cambist.store import MemoryStore
from cambist_audit_log.testing import record, unopened
async def main():
    name = sys.argv[2]
    more = json.loads(sys.argv[1])
    folder = __import__("pathlib").Path(more.pop("folder"))
    async with unopened(folder, time.time, MemoryStore(time.time), runs=True, **more) as log:
        for n in range(int(sys.argv[3])):
            await log.observe(record(f"{name}-{n}", time.time()))
            os.write(1, f"{name}-{n}\\n".encode())
            await asyncio.sleep(0)
        for task in log._background.tasks.values():
            task.cancel()
asyncio.run(main())
"""


def deciding(folder: Path, name: str, count: int, **more: object) -> subprocess.Popen[bytes]:
    settings = json.dumps({"folder": str(folder), **more})
    return subprocess.Popen([sys.executable, "-c", DECIDING, settings, name, str(count)], stdout=subprocess.PIPE, bufsize=0)


def ended(processes: Sequence[subprocess.Popen[bytes]]) -> list[str]:
    """What was acknowledged by all of them."""
    return [line for process in processes for line in process.communicate(timeout=60)[0].decode().split("\n")[:-1]]


async def test_processes_that_share_a_directory_write_each_its_own_chain(tmp_path: Path) -> None:
    acknowledged = ended([deciding(tmp_path, letter, 300, segment_bytes=8192) for letter in "abc"])
    assert len(acknowledged) == 900
    assert sorted(ids(tmp_path)) == sorted(acknowledged)
    assert len({path.name[:32] for path in segments(tmp_path)}) == 3
    for path in segments(tmp_path):
        assert len({line.split(b'"decision_id":"')[1][:1] for line in path.read_bytes().splitlines() if b"decision_id" in line}) == 1
    found = await report(tmp_path, MemoryStore(MovableClock()))
    assert (found.damage, [note.kind for note in found.notes]) == ([], [Kind.UNSEALED])


@pytest.mark.row("P-audit")
@pytest.mark.parametrize("sync", ["group", "always"])
async def test_processes_that_are_killed_in_the_middle_lose_no_acknowledged_line(tmp_path: Path, sync: str) -> None:
    chance = random.Random(sync)
    acknowledged: list[str] = []
    for turn in range(3):
        processes = [deciding(tmp_path, f"{turn}{letter}", 1_000_000, segment_bytes=8192, sync=sync) for letter in "ab"]
        for process in processes:
            assert process.stdout is not None
            acknowledged.append(process.stdout.readline().decode().strip())
        time.sleep(chance.random() * 0.3)
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)
        acknowledged += ended(processes)
    written = ids(tmp_path)
    assert set(acknowledged) <= set(written)
    assert len(set(written)) == len(written) <= len(acknowledged) + 6, "at most the line that each was at when it was killed"
    found = await report(tmp_path, MemoryStore(MovableClock()))
    assert found.damage == []
    unclosed = [note for note in found.notes if note.kind == Kind.UNCLOSED]
    assert len(unclosed) == found.chains == 6
    assert found.decisions == len(written)


async def test_a_ledger_verifies_while_it_is_written(tmp_path: Path) -> None:
    process = deciding(tmp_path, "a", 1_000_000, segment_bytes=8192)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"a-0\n"
        os.set_blocking(process.stdout.fileno(), False)
        read = 0
        for _ in range(10):
            found = await report(tmp_path, MemoryStore(MovableClock()))
            assert found.damage == []
            assert found.decisions >= read
            read = found.decisions
            process.stdout.read()
        assert read > 0
    finally:
        process.kill()
        process.communicate()
