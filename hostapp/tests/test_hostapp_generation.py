"""What is known of workers: on the board that they share, and of those that do not open."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from cambist.settings import parse
from cambist_hostapp.board import Board, State
from cambist_hostapp.child import Child, how
from cambist_hostapp.generation import LONGEST, SHORTEST, TRIES, Generation


@pytest.fixture
def board() -> Board:
    return Board.made()


@pytest.fixture
def wire() -> Iterator[socket.socket]:
    with socket.socket() as one:
        yield one


def generation(board: Board, number: int = 1, workers: int = 2) -> Generation:
    return Generation(number, parse({"issuer": "https://sts.example.test", "listen": {"workers": workers}}), board)


def child(wire: socket.socket, worker: int = 0) -> Child:
    return Child("worker", 100 + worker, wire, 1.0, worker)


def test_a_generation_is_open_once_each_of_its_workers_is(board: Board, wire: socket.socket) -> None:
    one = generation(board)
    assert one.overdue() == [0, 1]
    for worker in (0, 1):
        assert not one.open
        one.began(child(wire, worker))
        assert board.states(1)[worker] is State.STARTING
        one.opened(child(wire, worker))
    assert one.open
    assert one.overdue() == []
    assert board.pids(1) == [100, 101]


def test_a_worker_that_served_is_started_again_at_once(board: Board, wire: socket.socket) -> None:
    one, served = generation(board), child(wire)
    one.began(served)
    one.opened(served)
    assert one.lost(served) == 0
    assert 0 in one.overdue()
    assert board.pids(1)[0] == 0
    assert board.states(1)[0] is State.STARTING
    assert not one.hopeless


def test_a_worker_that_does_not_open_waits_longer_each_time(board: Board, wire: socket.socket) -> None:
    one = generation(board, workers=1)
    delays = []
    for _ in range(8):
        one.due = {0: 0.0}
        one.began(child(wire))
        delays.append(one.lost(child(wire)))
        assert one.hopeless is (len(delays) >= TRIES)
    assert delays[:3] == [SHORTEST, SHORTEST * 2, SHORTEST * 4]
    assert delays[-1] == LONGEST
    assert board.states(1)[0] is State.FAILED
    assert one.overdue() == []


def test_a_worker_that_the_system_has_no_room_for_is_tried_later(board: Board) -> None:
    one = generation(board, workers=1)
    for _ in range(TRIES):
        assert not one.hopeless
        one.stuck(0)
    assert one.hopeless
    assert one.overdue() == []


def test_a_worker_that_opens_after_all_is_forgiven(board: Board, wire: socket.socket) -> None:
    one = generation(board, workers=1)
    one.began(child(wire))
    one.lost(child(wire))
    one.began(child(wire))
    one.opened(child(wire))
    assert one.failures == {}


def test_two_generations_do_not_write_over_each_other(board: Board, wire: socket.socket) -> None:
    old, new = generation(board, 1, 64), generation(board, 2, 3)
    for worker in range(64):
        old.began(child(wire, worker))
    new.began(child(wire, 2))
    assert board.pids(1) == [100 + worker for worker in range(64)]
    assert board.pids(2) == [0, 0, 102]
    assert board.generation == 0
    board.serve(2)
    assert board.generation == 2


def test_a_board_in_a_file_is_seen_by_whoever_has_it_open() -> None:
    descriptor = os.memfd_create("board")
    try:
        here, there = Board.at(descriptor), Board.at(descriptor)
        here.begin(1, 2)
        here.note(1, 1, 4711, State.OPEN)
        assert there.pids(1) == [0, 4711]
        assert there.states(1) == [State.STARTING, State.OPEN]
    finally:
        os.close(descriptor)


def test_an_end_is_told_in_words() -> None:
    assert how(3) == "ended with code 3"
    assert how(-9) == "was ended by SIGKILL"
