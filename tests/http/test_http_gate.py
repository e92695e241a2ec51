"""One connection at its gate, without a server or a socket: what it waits for and how long, and in how many pieces an answer leaves."""

from __future__ import annotations

import pytest
from habits.stage import LIMITS, LISTEN, Stage

from cambist_hostapp.servers.gate import LINGER

START = b"POST /oauth/2/token HTTP/1.1\r\n"
REST = b"Host: a\r\nContent-Length: 2\r\n\r\n"
REQUEST = START + REST + b"ab"
HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"{}"


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_head_and_body_of_an_answer_leave_in_one_piece(stage: Stage) -> None:
    stage.hear(REQUEST)
    stage.say(HEAD)
    assert stage.wire.written == []
    stage.say(BODY)
    assert stage.wire.written == [HEAD + BODY]
    stage.say(b"more")
    assert stage.wire.written == [HEAD + BODY, b"more"]
    stage.gate.answered()
    stage.hear(REQUEST)
    stage.say(HEAD, BODY)
    assert stage.wire.written[2:] == [HEAD + BODY]


def test_an_answer_without_a_body_leaves_when_it_is_complete(stage: Stage) -> None:
    stage.hear(REQUEST)
    stage.say(HEAD)
    stage.gate.answered()
    assert stage.wire.written == [HEAD]


def test_what_was_said_of_an_answer_leaves_before_its_end_and_nothing_after_it(stage: Stage) -> None:
    stage.hear(REQUEST)
    stage.say(HEAD)
    stage.server.outlet.close()
    assert (stage.wire.written, stage.wire.did[-2:]) == ([HEAD], ["eof", "resume"])
    stage.say(BODY, BODY)
    stage.gate.answered()
    assert stage.wire.written == [HEAD]


def test_each_part_of_a_request_has_its_deadline_which_no_drop_moves(stage: Stage) -> None:
    assert stage.left == LIMITS.keep_alive
    stage.now += 1
    assert stage.hear(START) == LIMITS.head_timeout
    stage.now += 3
    assert stage.hear(REST[:9]) == LIMITS.head_timeout - 3
    assert stage.hear(REST[9:]) == LISTEN.body_timeout
    stage.now += 2
    assert stage.hear(b"a") == LISTEN.body_timeout - 2
    assert stage.hear(b"b") == LIMITS.answer_timeout
    stage.now += 4
    assert stage.hear(START) == LIMITS.answer_timeout - 4  # of the next one, which is not read yet
    assert stage.server.given == [REQUEST]


@pytest.mark.parametrize(
    ("begun", "left"),
    [(b"", LIMITS.keep_alive), (START, LIMITS.head_timeout), (START + REST, LISTEN.body_timeout)],
    ids=["nothing", "a head", "a body"],
)
def test_after_an_answer_what_has_begun_has_its_deadline(stage: Stage, begun: bytes, left: float) -> None:
    stage.hear(REQUEST + begun)
    stage.now += 1
    stage.gate.answered()
    assert (stage.left, stage.wire.did) == (left, ["pause", "resume"])


def test_requests_that_came_together_are_handed_on_one_by_one(stage: Stage) -> None:
    stage.hear(REQUEST + REQUEST)
    assert stage.server.given == [REQUEST]
    stage.now += 1
    stage.gate.answered()
    assert (stage.server.given, stage.left, stage.wire.did) == ([REQUEST] * 2, LIMITS.answer_timeout, ["pause", "pause"])


def test_the_deadline_of_a_client_that_does_not_read_stands_whatever_else_it_does(stage: Stage) -> None:
    stage.hear(REQUEST + REQUEST)
    stage.say(HEAD, BODY)
    stage.gate.pause_writing()
    assert stage.left == LIMITS.write_timeout
    stage.now += 3
    stage.gate.answered()
    assert (len(stage.server.given), stage.left) == (2, LIMITS.write_timeout - 3)
    stage.gate.answered()
    assert stage.hear(START) == LIMITS.write_timeout - 3
    stage.gate.close()
    assert stage.left == LIMITS.write_timeout - 3
    stage.gate.resume_writing()
    assert stage.left == LINGER
    stage.gate.overdue()
    assert stage.wire.did[-1] == "abort"


def test_who_reads_again_has_the_time_of_what_comes_next(stage: Stage) -> None:
    stage.hear(REQUEST)
    stage.gate.pause_writing()
    stage.gate.resume_writing()
    assert stage.left == LIMITS.answer_timeout
    stage.gate.answered()
    stage.hear(START)
    stage.gate.pause_writing()
    stage.gate.resume_writing()
    assert stage.left == LIMITS.head_timeout


def test_who_waits_to_be_told_to_go_on_is_told_once(stage: Stage) -> None:
    waiting = START + b"Expect: 100-continue\r\n" + REST
    assert stage.hear(waiting) == LISTEN.body_timeout
    assert stage.wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    stage.hear(b"a", b"b")
    assert (len(stage.wire.written), stage.server.given) == (1, [REQUEST])
