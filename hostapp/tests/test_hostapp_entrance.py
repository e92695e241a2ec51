"""A real socket that workers share, on both event loops: who is told to stop takes nothing more, and drops nothing that it took."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from cambist.settings import Listen
from cambist_hostapp.servers.accepting import Accepting
from cambist_hostapp.servers.entrance import Entrance
from cambist_hostapp.servers.gate import Behind, Gate

Run = Callable[[Coroutine[Any, Any, None]], None]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def on_this_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main)

    return on_this_loop


@pytest.fixture
def held() -> Iterator[socket.socket]:
    """What the supervisor holds; workers have copies."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as made:
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made


class Answering:
    """A server that answers everything."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._outlet: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._outlet = transport

    def data_received(self, data: bytes) -> None:
        self._outlet.write(ANSWER)
        self._gate.answered()

    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


def answering(gate: Gate) -> Behind:
    return Answering(gate)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.001)


def asked(address: Any) -> socket.socket:
    client = socket.create_connection(address, timeout=10)
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return client


def test_one_that_is_shut_takes_nothing_more_although_others_still_have_the_socket(run: Run, held: socket.socket) -> None:
    async def main() -> None:
        taken: list[socket.socket] = []
        entrance = Entrance(held.dup())
        entrance.open(taken.append)
        with socket.create_connection(held.getsockname(), timeout=10):
            await until(lambda: len(taken) == 1)
            entrance.shut()
            entrance.shut()  # as often as one likes
            before = time.process_time()
            with socket.create_connection(held.getsockname(), timeout=10):
                await asyncio.sleep(0.2)
                assert time.process_time() - before < 0.1  # a loop that still hears of it would turn all the time
                assert len(taken) == 1
                other, _ = held.accept()
                other.close()
        taken[0].close()

    run(main())


def test_who_was_accepted_in_the_very_moment_of_the_stop_is_answered(run: Run, held: socket.socket) -> None:
    """All of it in one turn of the loop: what is taken from the socket has a gate before anything else happens."""

    async def main() -> None:
        stopped, address = asyncio.Event(), held.getsockname()
        accepting = Accepting(Listen(), {}, answering, lambda _: None)
        entrance = Entrance(held.dup())
        serving = asyncio.create_task(accepting.until(stopped, entrance))
        await asyncio.sleep(0)
        clients = [asked(address) for _ in range(20)]
        entrance._look()
        stopped.set()
        await serving
        for client in clients:
            assert client.recv(1000) == ANSWER
            client.close()
        assert not accepting.gates

    run(main())


def test_answers_do_not_wait_for_an_acknowledgement(run: Run, held: socket.socket) -> None:
    async def main() -> None:
        stopped, delays = asyncio.Event(), list[int]()

        def speak(gate: Gate) -> Behind:
            delays.append(gate.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            return Answering(gate)

        serving = asyncio.create_task(Accepting(Listen(), {}, speak, lambda _: None).until(stopped, Entrance(held.dup())))
        with asked(held.getsockname()):
            await until(lambda: bool(delays))
            stopped.set()
            await serving
        assert delays[0] != 0

    run(main())


def test_it_counts_those_who_are_there_and_no_longer_those_who_left(run: Run, held: socket.socket) -> None:
    async def main() -> None:
        stopped, entrance = asyncio.Event(), Entrance(held.dup())
        counted = entrance.turn._connections
        serving = asyncio.create_task(Accepting(Listen(), {}, answering, lambda _: None).until(stopped, entrance))
        clients = [socket.create_connection(held.getsockname(), timeout=10) for _ in range(5)]
        await until(lambda: counted[0] == 5)
        for client in clients[:3]:
            client.close()
        await until(lambda: counted[0] == 2)
        for client in clients[3:]:
            client.close()
        await until(lambda: counted[0] == 0)
        stopped.set()
        await serving

    run(main())
