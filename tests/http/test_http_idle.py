"""Very many connections that say nothing: they are held, cost little, and others are served beside them, on both servers.

`CAMBIST_IDLE=10000` asks for the long form; what the machine allows bounds it.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from habits.raw import SERVERS, exchange, health, raw_service


def wanted() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(int(os.environ.get("CAMBIST_IDLE", "1000")), 10_000, hard - 500)


@pytest.mark.parametrize("server", SERVERS)
def test_idle_connections_are_held_and_hold_nobody_up(server: str, tmp_path: Path) -> None:
    count = wanted()
    with raw_service(tmp_path, server, {"keep_alive": 120}) as raw, ExitStack() as stack:
        assert raw.works()
        before = raw.memory
        idle = [stack.enter_context(raw.connect()) for _ in range(count)]
        deadline = time.monotonic() + 10
        while raw.files < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert raw.files >= count
        assert raw.memory - before < 20_000 * count  # bytes for each
        began = time.monotonic()
        assert raw.works()
        assert time.monotonic() - began < 2
        assert raw.ask(exchange(), until=1).statuses == [200]
        for connection in (idle[0], idle[count // 2], idle[-1]):  # each of them can still be used
            connection.sendall(health())
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("server", SERVERS)
def test_when_idle_connections_end_everything_that_they_held_is_given_back(server: str, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"keep_alive": 1}) as raw, ExitStack() as stack:
        assert raw.works()  # opens what is opened on first use
        time.sleep(1.5)  # and what served it is closed
        open_before = raw.files
        for _ in range(200):
            stack.enter_context(raw.connect())
        deadline = time.monotonic() + 10
        while raw.files > open_before and time.monotonic() < deadline:
            time.sleep(0.1)
        assert raw.files <= open_before
        assert raw.works()
