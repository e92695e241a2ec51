"""Workers as real processes that share one port: each gets its part, and one that hangs or has no room delays nobody."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from cambist.testing import serve
from cambist_hostapp.hosting import Hosted

Server = Literal["hypercorn", "uvicorn"]
SERVERS: tuple[Server, ...] = ("hypercorn", "uvicorn")


def settings(folder: Path) -> dict[str, Any]:
    """What several workers can share."""
    keys = {"directory": str(folder / "keys"), "kek": "4b" * 32}
    return {"plugins": {"opa-wasm": {}, "keys-file": keys, "sqlite": {"path": str(folder / "cambist.sqlite")}}}


@contextmanager
def served(folder: Path, server: Server, workers: int = 2) -> Iterator[Hosted]:
    with serve(settings(folder), workers=workers, server=server) as service:
        assert isinstance(service, Hosted)
        yield service


def has(service: Hosted) -> list[int]:
    """How many connections each worker has."""
    return list(service.board.connections(service.board.generation, 0))


def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.001)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """It hangs, for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def asked(port: int) -> http.client.HTTPConnection:
    """A client of its own whom a worker has answered, and who stays."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    wire.request("GET", "/health")
    answer = wire.getresponse()
    answer.read()
    assert answer.status == 200
    return wire


def at_work(service: Hosted) -> None:
    """A worker that has said that it is open is told to accept a moment later."""
    clients = [asked(service.port) for _ in range(8)]
    until(lambda: min(has(service)) > 0)
    for client in clients:
        client.close()
    until(lambda: not any(has(service)))


@pytest.mark.parametrize("server", SERVERS)
def test_of_eight_connections_every_worker_gets_its_part_from_the_first_moment_on(server: Server, tmp_path: Path) -> None:
    with served(tmp_path, server) as service:
        for _ in range(30):
            with ExitStack() as stack:
                for _ in range(8):
                    stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
                until(lambda: sum(has(service)) == 8)
                assert min(has(service)) >= 2  # 4 and 4, but that a worker may be kept from its processor for some milliseconds
            until(lambda: has(service) == [0, 0])


@pytest.mark.parametrize("server", SERVERS)
def test_a_client_who_comes_while_a_worker_hangs_waits_for_a_moment_at_most(server: Server, tmp_path: Path) -> None:
    with served(tmp_path, server) as service, stopped(service.pids[0]), ExitStack() as stack:
        waits = []
        for _ in range(20):
            began = time.monotonic()
            stack.callback(asked(service.port).close)
            waits.append(time.monotonic() - began)
        assert max(waits) < 1  # of 8 ms; where each worker had a socket of its own, half of them waited until it went on
        assert has(service) == [0, 20]


def test_a_worker_that_hung_gets_its_part_again(tmp_path: Path) -> None:
    with served(tmp_path, "uvicorn") as service, ExitStack() as stack:
        with stopped(service.pids[0]):
            for _ in range(10):
                stack.callback(asked(service.port).close)
        for _ in range(8):
            stack.callback(asked(service.port).close)
            time.sleep(0.02)
        until(lambda: sum(has(service)) == 18)
        assert has(service)[0] >= 4


def test_a_worker_that_was_replaced_gets_the_next_ones(tmp_path: Path) -> None:
    with served(tmp_path, "hypercorn") as service, ExitStack() as stack:
        for _ in range(10):
            stack.callback(asked(service.port).close)
        service.kill(0)
        service.ready()
        kept = has(service)[1]
        for _ in range(kept):
            stack.callback(asked(service.port).close)
        until(lambda: sum(has(service)) == 2 * kept)
        assert min(has(service)) >= kept - 2


@pytest.mark.parametrize("server", SERVERS)
def test_a_worker_that_can_open_no_more_files_leaves_its_clients_to_the_others_and_says_so_once(server: Server, tmp_path: Path) -> None:
    with served(tmp_path, server) as service, ExitStack() as stack:
        at_work(service)
        poor = service.pids[0]
        _, hard = resource.prlimit(poor, resource.RLIMIT_NOFILE)
        resource.prlimit(poor, resource.RLIMIT_NOFILE, (3, hard))
        for _ in range(20):
            stack.callback(asked(service.port).close)
        until(lambda: has(service)[1] == 20)
        used = cpu(poor)
        time.sleep(0.5)
        assert cpu(poor) - used < 0.2  # it rests, and does not ask again and again
        assert service.log.count("no connection can be accepted: Too many open files") == 1
        resource.prlimit(poor, resource.RLIMIT_NOFILE, (hard, hard))
        until(lambda: has(service)[0] == 0)
        for _ in range(4):
            stack.callback(asked(service.port).close)
            time.sleep(0.02)
        assert has(service)[0] >= 2
        assert "Traceback" not in service.log


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("server", SERVERS)
def test_who_waits_is_served_by_the_others_when_a_worker_dies(server: Server, tmp_path: Path) -> None:
    with served(tmp_path, server) as service, ExitStack() as stack:
        at_work(service)
        os.kill(service.supervisor, signal.SIGSTOP)  # nobody is replaced meanwhile
        stack.callback(os.kill, service.supervisor, signal.SIGCONT)
        with stopped(service.pids[1]):
            os.kill(service.pids[0], signal.SIGSTOP)
            clients = [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(10)]
            os.kill(service.pids[0], signal.SIGKILL)
        for client in clients:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
            client.close()
