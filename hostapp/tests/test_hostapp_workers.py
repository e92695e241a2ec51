"""Workers under their supervisor, as real processes: killed, stopped, and swapped for new settings while clients ask."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from cambist import DidNotStart
from cambist.testing import SharedClock, serve

Server = Literal["hypercorn", "uvicorn"]
SERVERS: tuple[Server, ...] = ("hypercorn", "uvicorn")


def settings(folder: Path, **listen: Any) -> dict[str, Any]:
    """What several workers can share."""
    keys = {"directory": str(folder / "keys"), "kek": "4b" * 32}
    return {"plugins": {"opa-wasm": {}, "keys-file": keys, "sqlite": {"path": str(folder / "cambist.sqlite")}}, "listen": listen}


def ask(url: str) -> int:
    """A connection of its own for one request, so that each may meet another worker."""
    return httpx.post(f"{url}/v1/exchange/token", json={}, trust_env=False, timeout=10).status_code


@contextmanager
def asking(url: str, clients: int = 4, *, keep: bool = False) -> Iterator[Counter[Any]]:
    """Clients that ask all the time; afterwards, how often each status or failure was met."""
    found: Counter[Any] = Counter()
    ended = threading.Event()

    def client() -> None:
        with httpx.Client(trust_env=False, timeout=10, limits=httpx.Limits(max_keepalive_connections=1 if keep else 0)) as http:
            while not ended.is_set():
                try:
                    found[http.post(f"{url}/v1/exchange/token", json={}).status_code] += 1
                except httpx.HTTPError as error:
                    found[f"{type(error).__name__}: {error}"] += 1
                time.sleep(0.01)  # the machine has to start workers besides

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def until(done: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait; how long it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, "not in time"
        time.sleep(0.005)
    return time.monotonic() - began


def gone(*pids: int) -> bool:
    """Whether none of these runs; one that its parent has not buried has ended all the same."""
    return not any(running(pid) for pid in pids)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before the file is opened, or between that and the reading
        return False


@pytest.mark.parametrize("server", SERVERS)
def test_a_killed_worker_is_replaced_within_a_second_while_the_others_serve_on(server: Server, tmp_path: Path) -> None:
    with serve(settings(tmp_path), workers=2, server=server) as service:
        first, second = service.pids
        began = time.monotonic()
        assert service.kill(0) == first
        with asking(service.url, 2) as found:
            service.ready()
            assert time.monotonic() - began < 2  # 0.4 s where nothing else runs; a busy machine may take its time
            until(lambda: found.total() > 0)
        assert found == {400: found[400]}
        assert service.pids[1] == second
        assert service.pids[0] not in (0, first)
        assert gone(first)
        assert "worker 1" in service.log
        assert "was ended by SIGKILL" in service.log


def test_what_a_dead_worker_counted_is_still_told_by_any_worker(tmp_path: Path) -> None:
    def told() -> set[float]:
        return {counted(httpx.get(f"{service.url}/metrics.json", trust_env=False).json()) for _ in range(8)}

    with serve(settings(tmp_path), workers=2) as service:
        for _ in range(20):
            ask(service.url)
        assert told() == {20}
        for worker in (0, 1):
            service.kill(worker)
        service.ready()
        assert told() == {20}
        ask(service.url)
        assert told() == {21}
        assert service.reload()
        ask(service.url)
        assert told() == {22}


def counted(document: dict[str, Any]) -> float:
    return float(sum(sample["value"] for sample in document["cambist_decisions_total"]))


@pytest.mark.parametrize("server", SERVERS)
def test_nobody_outlives_a_supervisor_that_was_killed(server: Server, tmp_path: Path) -> None:
    with serve(settings(tmp_path), workers=2, server=server) as service:
        pids = service.pids
        with asking(service.url, 2):
            os.kill(service.supervisor, signal.SIGKILL)
            until(lambda: gone(*pids), 5)


@pytest.mark.parametrize("server", SERVERS)
def test_workers_whose_supervisor_was_killed_leave_the_port_at_once_and_finish_what_they_accepted(server: Server, tmp_path: Path) -> None:
    document = settings(tmp_path, port=free_port())
    with serve(document, workers=1, server=server) as service:
        (old,) = service.pids
        wire = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        wire.putrequest("POST", "/v1/exchange/token")
        wire.putheader("content-length", "2")
        wire.endheaders(b"{")
        assert ask(service.url) == 400  # so that the other request has been accepted, too
        os.kill(service.supervisor, signal.SIGKILL)
        with serve(document, workers=1, server=server) as successor:
            assert running(old)
            assert ask(successor.url) == 400
            wire.send(b"}")
            assert wire.getresponse().headers["connection"] == "close"
            until(lambda: gone(old), 2)
            wire.close()


def test_a_worker_that_hangs_does_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    """A stopped process stands for one whose loop is busy: it takes no SIGTERM, and ends once it may."""
    with serve(settings(tmp_path, graceful=0), workers=2) as service:
        pids = service.pids
        os.kill(pids[0], signal.SIGSTOP)
        os.kill(service.supervisor, signal.SIGKILL)
        until(lambda: gone(pids[1]), 5)
        os.kill(pids[0], signal.SIGCONT)
        until(lambda: gone(pids[0]), 5)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("keep", [False, True], ids=["new-connections", "kept-connections"])
def test_new_settings_are_put_to_work_without_a_connection_that_fails(server: Server, keep: bool, tmp_path: Path) -> None:
    with serve(settings(tmp_path), workers=2, server=server) as service:
        pids: set[int] = set(service.pids)
        with asking(service.url, keep=keep) as found:
            for workers in (3, 1):
                assert service.reload(settings(tmp_path, workers=workers), 30)
                assert len(service.pids) == workers
                assert pids.isdisjoint(service.pids)
                pids |= set(service.pids)
        assert found == {400: found[400]}
        assert found[400] > 50
        until(lambda: gone(*(pids - set(service.pids))))


def test_settings_that_are_wrong_leave_the_old_workers_at_work_and_the_log_says_why(tmp_path: Path) -> None:
    with serve(settings(tmp_path), workers=2) as service:
        pids = service.pids
        assert not service.reload({**settings(tmp_path), "ttl": "long"})
        assert "the new settings are not taken: ttl:" in service.log
        assert not service.reload({**settings(tmp_path), "plugins": {"opa-wasm": {"bundle": "/nowhere.tar.gz"}}}, 30)
        assert "the new settings are not taken: plugins.opa-wasm: " in service.log
        assert service.pids == pids
        assert ask(service.url) == 400
        assert service.reload(settings(tmp_path))


@pytest.mark.parametrize("server", SERVERS)
def test_sigterm_under_load_answers_everybody_who_is_connected_and_says_that_it_is_the_last(server: Server, tmp_path: Path) -> None:
    with serve(settings(tmp_path), workers=2, server=server) as service:
        answers: list[list[str]] = [[] for _ in range(6)]
        clients = [threading.Thread(target=until_the_last, args=(service.port, own)) for own in answers]
        for client in clients:
            client.start()
        until(lambda: all(len(own) > 5 for own in answers))
        assert service.stop() == 0
        for client in clients:
            client.join()
        assert all(own[-1] == "close" and set(own[:-1]) == {"keep-alive"} for own in answers), [own[-3:] for own in answers]
        assert "Traceback" not in service.log


def until_the_last(port: int, answers: list[str]) -> None:
    """One connection on which is asked until an answer says that it closes; what each said, or the failure."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    wire.auto_open = 0
    wire.connect()
    while "close" not in answers and len(answers) < 10_000:
        try:
            wire.request("POST", "/v1/exchange/token", b"{}", {"content-type": "application/json"})
            answer = wire.getresponse()
            answer.read()
            answers.append(answer.headers.get("connection", "keep-alive"))
        except OSError as error:
            answers.append(repr(error))
            break
    wire.close()


def test_a_worker_says_that_it_is_not_ready_while_another_is_missing(tmp_path: Path) -> None:
    """Asked over connections that are open already: a new one might wait for the successor, and be told that all is well again."""
    with serve(settings(tmp_path), workers=2) as service:
        wires = [http.client.HTTPConnection("127.0.0.1", service.port, timeout=10) for _ in range(16)]
        for wire in wires:
            assert readiness(wire) == (200, "ok", "ok")
            wire.auto_open = 0
        service.kill(0)
        told = {readiness(wire) for wire in wires}
        assert told == {None, (503, "starting", "ok")}
        service.ready()
        assert httpx.get(f"{service.url}/ready", trust_env=False).status_code == 200
        for wire in wires:
            wire.close()


def readiness(wire: http.client.HTTPConnection) -> tuple[int, str, str] | None:
    """The status, and what is told of the two workers; nothing when the connection went with its worker."""
    try:
        wire.request("GET", "/ready")
        answer = wire.getresponse()
        checks = json.loads(answer.read())["checks"]
    except (OSError, http.client.HTTPException):
        return None
    return answer.status, checks["worker 1"], checks["worker 2"]


TELLING = """
from cambist import Unavailable, hookimpl

class Telling:
    required = False
    def __init__(self, clock):
        self.clock = clock
    async def observe(self, record):
        pass
    async def ping(self):
        raise Unavailable(what="the time", cause=f"{self.clock():.0f}")

@hookimpl
def cambist_observers(host):
    yield Telling(host.clock)
"""
"""A plugin that is not installed, and tells the time where others tell how they are."""


def test_a_clock_that_is_moved_is_moved_in_every_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "telling.py").write_text(TELLING)
    monkeypatch.syspath_prepend(str(tmp_path))

    def times() -> set[int]:
        return {int(httpx.get(f"{service.url}/ready", trust_env=False).json()["checks"]["telling"]) for _ in range(8)}

    clock = SharedClock(1_800_000_000)
    with serve(settings(tmp_path), workers=2, clock=clock, modules={"telling": "telling"}) as service:
        assert times() == {1_800_000_000}
        clock.move(-3600)
        assert times() == {1_799_996_400}
        clock.now = 5
        assert times() == {5}
        service.kill(1)
        service.ready()
        assert times() == {5}


@pytest.mark.parametrize("missing", ["sqlite", "keys-file"])
def test_workers_that_could_not_know_of_each_other_are_not_started(missing: str, tmp_path: Path) -> None:
    """H15: a mark in the memory of one worker is unknown to the others; a key there verifies nothing that they sign."""
    document = settings(tmp_path)
    del document["plugins"][missing]
    with pytest.raises(DidNotStart, match="2 workers cannot share"), serve(document, workers=2):
        pass
    with serve(document, workers=1) as service:
        assert ask(service.url) == 400


def test_what_keeps_a_service_from_opening_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    document = settings(tmp_path)
    document["plugins"]["opa-wasm"] = {"bundle": str(tmp_path / "nowhere.tar.gz")}
    with pytest.raises(DidNotStart, match="nowhere") as caught, serve(document, workers=2):
        pass
    assert caught.value.problems[-1] == "the supervisor ended with code 3"


ONCE = """
import os
from cambist import hookimpl

class Once:
    required = False
    async def observe(self, record):
        pass

@hookimpl
def cambist_observers(host):
    with open(os.environ["OPENED"], "ab", buffering=0) as opened:
        opened.write(b"+")
        if opened.tell() > int(os.environ["TIMES"]):
            raise RuntimeError("it opens no more")
    yield Once()
"""
"""A plugin that opens as often as the environment says, counted in a file to which workers that open at once each append."""


def opening(times: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (folder / "once.py").write_text(ONCE)
    (folder / "opened").write_text("")
    monkeypatch.setenv("OPENED", str(folder / "opened"))
    monkeypatch.setenv("TIMES", str(times))
    monkeypatch.syspath_prepend(str(folder))
    return {"once": "once"}


def test_workers_that_die_at_once_are_given_up_with_their_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = opening(1, tmp_path, monkeypatch)  # for the check, and for no worker
    with pytest.raises(DidNotStart) as caught, serve(settings(tmp_path), workers=1, modules=modules):
        pass
    assert any("it opens no more" in problem for problem in caught.value.problems)
    assert caught.value.problems[-1] == "the supervisor ended with code 3"
    assert "started again in 0.2 s" in str(caught.value)


def test_a_worker_that_cannot_come_back_is_tried_again_while_the_others_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = opening(3, tmp_path, monkeypatch)  # for the check and two workers
    with serve(settings(tmp_path), workers=2, modules=modules) as service:
        service.kill(0)
        until(lambda: "started again in 0.4 s" in service.log)
        assert {ask(service.url) for _ in range(10)} == {400}
        assert httpx.get(f"{service.url}/ready", trust_env=False).json()["checks"]["worker 1"] in ("failed", "starting")
        (tmp_path / "opened").write_text("")
        service.ready()
        assert httpx.get(f"{service.url}/ready", trust_env=False).status_code == 200


def test_the_command_line_says_how_many_workers_and_which_server(tmp_path: Path) -> None:
    document = settings(tmp_path)["plugins"]
    port = free_port()
    tables = "".join(
        f"[plugins.{name}]\n" + "".join(f'{key} = "{value}"\n' for key, value in table.items()) for name, table in document.items()
    )
    (tmp_path / "cambist.toml").write_text(f'issuer = "http://localhost:{port}"\n[listen]\nport = {port}\n{tables}')
    command = [
        sys.executable,
        "-m",
        "cambist_hostapp",
        "-c",
        str(tmp_path / "cambist.toml"),
        "serve",
        "--workers",
        "2",
        "--server",
        "uvicorn",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = ""
        while "listening" not in log:
            log += process.stderr.readline()
        assert ask(f"http://127.0.0.1:{port}") == 400
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        log += process.stderr.read()
    assert "worker 2 is open" in log
    assert "workers: 2" in log
    assert "Traceback" not in log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
