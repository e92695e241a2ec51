"""When a line is with the operating system, and when it is on the disk."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist_audit_log.testing import decisions, ids, segments, table

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"


class Syncs:
    """Stands in for `os.fsync`; counts, takes its time and fails as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.takes = 0, 0.0
        self.failing: OSError | None = None
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.count += 1
        time.sleep(self.takes)
        if self.failing:
            raise self.failing


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(IDP, ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, **more: Any) -> AsyncIterator[Running]:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    async with open_sts(
        {"authenticates": [JWT_TYPE], "plugins": {"audit-log": table(folder, **more), "jwt": jwt}}, clock=forge.clock
    ) as running:
        yield running


async def ask(sts: Running, forge: Forge) -> int:
    return (await sts.form(subject_token=forge.jwt(), audience=TARGET)).status_code


async def until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("sync", ["always", "group", "off"])
async def test_the_line_is_with_the_operating_system_before_the_answer(tmp_path: Path, forge: Forge, sync: str) -> None:
    async with service(tmp_path, forge, sync=sync) as sts:
        for n in range(1, 4):
            assert await ask(sts, forge) == 200
            assert len(decisions(tmp_path)) == n


async def test_always_means_on_the_disk_before_the_answer(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge, sync="always") as sts:
        await ask(sts, forge)
        opening = syncs.count
        for n in range(1, 4):
            await ask(sts, forge)
            assert syncs.count == opening + n


async def test_always_syncs_once_for_all_who_wait(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge, sync="always") as sts:
        await ask(sts, forge)
        opening, syncs.takes = syncs.count, 0.1
        assert await asyncio.gather(*(ask(sts, forge) for _ in range(20))) == [200] * 20
        assert 1 <= syncs.count - opening <= 6


async def test_a_group_is_synced_soon_and_no_answer_waits_for_it(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge) as sts:
        opening, syncs.takes = syncs.count, 0.5
        began = asyncio.get_running_loop().time()
        assert [await ask(sts, forge) for _ in range(3)] == [200] * 3
        assert asyncio.get_running_loop().time() - began < 0.5, "one of three would have waited"
        await until(lambda: syncs.count > opening)


async def test_groups_are_at_least_100_ms_apart(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge) as sts:
        opening, began = syncs.count, asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - began < 0.5:
            await ask(sts, forge)
            await asyncio.sleep(0.005)
        assert 2 <= syncs.count - opening <= 6


async def test_an_idle_log_is_not_synced(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge) as sts:
        await ask(sts, forge)
        await asyncio.sleep(0.15)
        quiet = syncs.count
        await asyncio.sleep(0.3)
        assert syncs.count == quiet


async def test_off_never_syncs(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge, sync="off") as sts:
        await ask(sts, forge)
        await asyncio.sleep(0.15)
    assert syncs.count == 0


@pytest.mark.parametrize("sync", ["always", "group"])
async def test_what_was_written_last_is_synced_when_the_service_stops(tmp_path: Path, forge: Forge, syncs: Syncs, sync: str) -> None:
    async with service(tmp_path, forge, sync=sync) as sts:
        await asyncio.sleep(0.15)
        await ask(sts, forge)
        before = syncs.count
    assert syncs.count > before


async def test_a_segment_that_is_full_is_synced_too(tmp_path: Path, forge: Forge, clock: MovableClock, syncs: Syncs) -> None:
    async with service(tmp_path, forge, segment_age=60) as sts:
        await ask(sts, forge)
        await until(lambda: syncs.count >= 2)
        await asyncio.sleep(0.15)
        before = syncs.count
        clock.move(61)
        await ask(sts, forge)
        await until(lambda: syncs.count >= before + 3)  # the old one, the new one, the new one's name
    assert len(segments(tmp_path)) == 2


async def test_a_failed_sync_issues_nothing_where_each_line_is_synced(tmp_path: Path, forge: Forge, syncs: Syncs) -> None:
    async with service(tmp_path, forge, sync="always") as sts:
        syncs.failing = OSError(errno.EIO, os.strerror(errno.EIO))
        assert [await ask(sts, forge) for _ in range(2)] == [503, 503]
        syncs.failing = None
        assert await ask(sts, forge) == 200


async def test_after_a_failed_group_each_line_is_synced_until_one_succeeded(
    tmp_path: Path, forge: Forge, syncs: Syncs, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(tmp_path, forge) as sts:
        syncs.failing = OSError(errno.EIO, os.strerror(errno.EIO))
        assert await ask(sts, forge) == 200, "its line can be among those that the documentation says can be lost"
        await until(lambda: "could not be synced" in caplog.text)
        assert [await ask(sts, forge) for _ in range(2)] == [503, 503]
        syncs.failing = None
        assert await ask(sts, forge) == 200
        syncs.takes = 0.5
        began = asyncio.get_running_loop().time()
        assert await ask(sts, forge) == 200
        assert asyncio.get_running_loop().time() - began < 0.5, "in groups again"
        checks = (await sts.http.get("/ready")).json()["checks"]
        assert (checks["audit-log"], checks["audit-log: sync"]) == ("ok", "ok")


SERVING = """
import asyncio, json, sys
from cambist.testing import ISSUER, Forge, MovableClock, open_sts
async def main():
    forge = Forge("https://idp.example.test", ISSUER, MovableClock())
    jwt = {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}
    settings = {"authenticates": ["urn:ietf:params:oauth:token-type:jwt"], "plugins": {"audit-log": json.loads(sys.argv[1]), "jwt": jwt}}
    async with open_sts(settings, clock=forge.clock) as sts:
        while True:
            answer = await sts.form(subject_token=forge.jwt(), audience="https://orders.example.test")
            print(answer.headers["cambist-decision-id"], flush=True)
asyncio.run(main())
"""


def test_every_token_that_was_issued_before_the_process_was_killed_has_its_line(tmp_path: Path) -> None:
    settings = json.dumps(table(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", SERVING, settings], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    answered += process.communicate()[0].split()
    assert len(answered) >= 20
    written = ids(tmp_path)
    assert written[: len(answered)] == answered
    assert len(written) <= len(answered) + 1
