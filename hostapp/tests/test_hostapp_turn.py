"""Who accepts the next connection: the real entrances of several workers, over a pretended socket and a clock that the test moves.

Each worker notices what happens after a time of its own, as processes do; one that hangs notices nothing.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import random
from array import array
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist_hostapp.servers.entrance import REST, Entrance
from cambist_hostapp.servers.turn import AWAY, LONGEST, PART, PATIENCE, PAUSE, Turn

NOWHERE = math.inf
LAG = PAUSE * 0.9
"""Seconds within which who is awake notices that somebody waits."""


class World:
    """One listening socket, its workers, and what is due when."""

    def __init__(self, workers: int, seed: int = 0) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self.connections, self.looks = (memoryview(array("q", [0] * workers)) for _ in range(2))
        self.waiting: list[float] = []
        self.waits: list[float] = []
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.workers = [Worker(self, number) for number in range(workers)]

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        if seconds < NOWHERE:
            heapq.heappush(self.due, (self.now + seconds, next(self.order), then))

    def arrive(self, *moments: float) -> World:
        for moment in moments:
            self.later(moment, self._come)
        return self

    def run(self) -> World:
        """Until nothing more is going to happen."""
        while self.due:
            self.now, _, then = heapq.heappop(self.due)
            then()
        return self

    def _come(self) -> None:
        self.waiting.append(self.now)
        for worker in self.workers:
            worker.wake()

    @property
    def spread(self) -> int:
        return max(self.connections) - min(self.connections)


class Worker:
    """The loop and the socket of one worker, as its entrance sees them."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number, self.lag, self.refusing = world, number, LAG, 0
        self.reader: Callable[[], None] | None = None
        self.woken = self.closed = False
        self.turn = Turn(number, world.connections, world.looks)
        self.entrance = Entrance(cast(Any, self), self.turn)
        self.entrance._loop, self.entrance._taken = cast(Any, self), self._taken
        self.entrance._come()

    # ── a loop ──────────────────────────────────────────────────────────────────────────────────────────

    def add_reader(self, _: int, reader: Callable[[], None]) -> None:
        self.reader = reader
        self.wake()

    def remove_reader(self, _: int) -> bool:
        self.reader = None
        return True

    def call_later(self, seconds: float, then: Callable[..., None], *args: object) -> Worker:
        self.world.later(seconds + self._slowly(), lambda: then(*args))
        return self

    def cancel(self) -> None: ...

    def wake(self) -> None:
        if self.world.waiting and self.reader and not self.woken:
            self.woken = True
            self.world.later(self._slowly(), self._ready)

    def _ready(self) -> None:
        self.woken = False
        if self.world.waiting and self.reader:
            self.reader()
        self.wake()

    def _slowly(self) -> float:
        return self.lag if self.lag == NOWHERE else self.world.chance.uniform(0, self.lag)

    # ── a socket ────────────────────────────────────────────────────────────────────────────────────────

    def fileno(self) -> int:
        return -1 if self.closed else self.number

    def close(self) -> None:
        self.closed = True

    def accept(self) -> tuple[float, None]:
        if self.refusing:
            self.refusing -= 1
            raise OSError(24, "Too many open files")
        if not self.world.waiting:
            raise BlockingIOError
        return self.world.waiting.pop(0), None

    def _taken(self, since: Any) -> None:
        self.world.waits.append(self.world.now - since)
        self.turn.has(self.has + 1)

    @property
    def has(self) -> int:
        return self.turn._mine

    def leave(self) -> None:
        """One of its clients goes."""
        if self.has:
            self.turn.has(self.has - 1)


seeds = st.integers(0, 2**32)
moments = st.lists(st.floats(0, 0.2), min_size=1, max_size=60)


@pytest.fixture(params=[2, 3, 8])
def several(request: pytest.FixtureRequest) -> int:
    return cast(int, request.param)


def test_who_has_fewest_takes_the_next_connection(several: int) -> None:
    world = World(several)
    world.connections[:] = array("q", [5] * several)
    for worker in world.workers:
        worker.turn.has(3 if worker.number == 1 else 5)
    world.arrive(0, 1).run()
    assert world.connections[1] == 5
    assert max(world.waits) < LAG


def test_of_two_workers_with_as_many_each_takes_it_who_looks_first() -> None:
    world = World(2)
    assert [worker.turn.ours for worker in world.workers] == [True, True]
    world.workers[0].turn.has(1)
    assert [worker.turn.ours for worker in world.workers] == [False, True]


@given(workers=st.integers(2, 8), moments=moments, seed=seeds)
def test_those_who_are_awake_share_evenly_whenever_clients_come(workers: int, moments: list[float], seed: int) -> None:
    world = World(workers, seed).arrive(*moments).run()
    assert sum(world.connections) == len(moments)
    assert world.spread <= 2 + max(world.connections) // PART


@given(count=st.integers(2, 300), seed=seeds)
def test_clients_who_come_all_at_once_are_shared_as_well(count: int, seed: int) -> None:
    world = World(2, seed).arrive(*[0.0] * count).run()
    assert sum(world.connections) == count
    assert world.spread <= 2 + max(world.connections) // PART


@given(
    lags=st.lists(st.sampled_from([LAG, PAUSE * 4, LONGEST * 4, NOWHERE]), min_size=1, max_size=7),
    moments=moments,
    leaving=st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 7)), max_size=40),
    seed=seeds,
)
def test_nobody_waits_long_while_one_worker_is_awake_whatever_the_others_do(
    lags: list[float], moments: list[float], leaving: list[tuple[float, int]], seed: int
) -> None:
    world = World(len(lags) + 1, seed)
    for worker, lag in zip(world.workers, lags, strict=False):
        worker.lag = lag
    for moment, number in leaving:
        world.later(moment, world.workers[number % len(world.workers)].leave)
    world.arrive(*moments).run()
    assert not world.waiting
    # No worker is waited for in vain for longer than PATIENCE, by each of those who could take what waits; and the last pause ends.
    assert max(world.waits) <= (PATIENCE + 2 * LONGEST) * len(world.workers)


def test_one_that_hangs_delays_a_client_for_a_moment_and_then_nobody() -> None:
    world = World(2)
    world.workers[1].lag = NOWHERE
    for second in range(100):
        world.arrive(second)
    world.run()
    assert list(world.connections) == [100, 0]
    assert max(world.waits) <= LONGEST + 3 * LAG
    assert sum(wait > 2 * LAG for wait in world.waits) <= PATIENCE / PAUSE
    assert max(world.waits[50:]) <= LAG


def test_one_that_comes_back_is_reckoned_with_as_soon_as_it_looks() -> None:
    world = World(2)
    hung = world.workers[1]
    hung.lag = NOWHERE
    world.arrive(*range(100)).run()
    hung.lag, hung.woken = LAG, False
    world.arrive(*range(1, 31)).run()
    assert world.connections[1] >= 25


def test_one_that_accepts_nothing_is_not_waited_for() -> None:
    world = World(3)
    for worker in world.workers[1:]:
        worker.entrance.shut()
    world.arrive(*[0.0] * 20).run()
    assert list(world.connections) == [20, AWAY, AWAY]
    assert max(world.waits) <= LAG
    assert all(worker.closed for worker in world.workers[1:])


def test_a_thousand_connections_are_not_kept_even_to_the_last() -> None:
    """Else who is awake would leave many of them to who is busy."""
    world = World(2)
    for worker, count in zip(world.workers, (1000, 960), strict=True):
        worker.turn.has(count)
    assert world.workers[0].turn.ours
    world.workers[0].turn.has(1040)
    assert not world.workers[0].turn.ours


def test_the_further_it_is_ahead_the_longer_it_holds_back_and_never_for_long() -> None:
    world = World(2)
    ahead = world.workers[0].turn
    pauses = []
    for count in (1, 2, 5, 100):
        ahead.has(count)
        pauses.append(ahead.look())
    assert pauses == pytest.approx([PAUSE, 2 * PAUSE, 5 * PAUSE, LONGEST])


def test_who_has_held_back_takes_one_only_if_nobody_who_comes_before_it_has_looked() -> None:
    world = World(2)
    ahead, behind = (worker.turn for worker in world.workers)
    ahead.has(3)
    pause = ahead.look()
    assert ahead.over(pause)
    pause = ahead.look()
    behind.look()
    assert not ahead.over(pause)
    behind.has(3)
    assert ahead.over(ahead.look())


def test_who_shares_with_nobody_always_has_its_turn() -> None:
    turn = Turn.alone()
    turn.come()
    turn.has(1000)
    assert turn.ours
    assert turn.look() == 0


# ── where the system has no room ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    caplog.set_level(logging.ERROR)
    return lambda: sum("no connection can be accepted: Too many open files" in record.message for record in caplog.records)


def test_where_no_file_can_be_opened_the_worker_rests_and_says_so_once(heard: Callable[[], int]) -> None:
    world = World(1)
    world.workers[0].refusing = 3
    world.arrive(0).run()
    assert world.waits == [pytest.approx(3 * REST, abs=10 * LAG)]  # it did not try all the time
    assert world.workers[0].refusing == 0
    assert heard() == 1
    world.workers[0].refusing = 1
    world.arrive(1).run()
    assert heard() == 2


def test_a_worker_that_rests_leaves_what_waits_to_the_others_at_once(heard: Callable[[], int]) -> None:
    world = World(2)
    world.workers[0].refusing = 1
    world.arrive(*[0.0] * 9).run()
    assert list(world.connections) == [0, 9]
    assert max(world.waits) <= LONGEST * 2
    assert world.workers[0].turn.ours  # it has rested, and is the next
    world.arrive(1).run()
    assert list(world.connections) == [1, 9]


def test_a_client_who_left_while_it_waited_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(1)
    accepted, worker = itertools.count(), world.workers[0]
    accept = worker.accept

    def first_is_gone() -> tuple[float, None]:
        if next(accepted) == 0:
            raise ConnectionAbortedError
        return accept()

    monkeypatch.setattr(worker, "accept", first_is_gone)
    world.arrive(0, 0).run()
    assert max(world.waits) <= LAG
    assert list(world.connections) == [2]
