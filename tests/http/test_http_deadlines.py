"""Who is slow, large, or does not read, on both servers: everything has an end, and others are served meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from habits.raw import SERVERS, Raw, chunked, exchange, form, head, health, hear, raw_service

HOST = b"Host: sts.example.test"
POST = b"POST /oauth/2/token HTTP/1.1"
JSON = b"POST /v1/exchange/token HTTP/1.1"
KIND = b"Content-Type: application/x-www-form-urlencoded"
LIMITS = {"head_timeout": 1.0, "keep_alive": 2.0, "write_timeout": 1.0, "requests_per_connection": 5, "unread": 1_000_000}
LATE = 1.5
"""Seconds beyond a deadline that a busy machine may need."""


@pytest.fixture(scope="module", params=SERVERS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    with raw_service(tmp_path_factory.mktemp("raw"), request.param, LIMITS, body_timeout=1.0) as raw:
        assert raw.works()
        yield raw
        assert raw.works()


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (POST + b"\r\nHost:", "invalid_request"),
        (JSON + b"\r\nHost:", "invalid_request"),
        (head(POST, HOST, b"Content-Length: 9") + b"a", ""),
    ],
    ids=["head of a form", "head of JSON", "body"],
)
def test_what_does_not_arrive_is_told_so_and_closed(raw: Raw, sent: bytes, error: str) -> None:
    before, began = raw.decisions(), time.monotonic()
    heard = raw.ask(sent)
    assert 0.9 < time.monotonic() - began < 1.0 + LATE
    assert (heard.statuses, heard.closed) == ([408], True)
    assert heard.answers[0].document["reason"] == "not_arrived"
    assert raw.decisions() == before


@pytest.mark.parametrize("kind", ["head", "body", "chunks"])
def test_dripping_does_not_move_the_deadline(raw: Raw, kind: str) -> None:
    begin, drip = {
        "head": (POST + b"\r\n", b"X: y\r\n"),
        "body": (head(POST, HOST, KIND, b"Content-Length: 5000"), b"a"),
        "chunks": (head(POST, HOST, KIND, b"Transfer-Encoding: chunked"), b"1\r\na\r\n"),
    }[kind]
    before, began = raw.decisions(), time.monotonic()
    with raw.connect() as connection:
        connection.sendall(begin)
        connection.settimeout(0.1)
        while True:
            try:
                if connection.recv(64):
                    break
            except TimeoutError:
                connection.sendall(drip)
            assert time.monotonic() - began < 1.0 + LATE
    assert raw.decisions() == before


def test_an_idle_connection_is_closed_without_a_word(raw: Raw) -> None:
    began = time.monotonic()
    heard = raw.ask()
    assert (heard.raw, heard.closed) == (b"", True)
    assert 1.8 < time.monotonic() - began < 2.0 + LATE
    began = time.monotonic()
    heard = raw.ask(health())
    assert (heard.statuses, heard.closed) == ([200], True)
    assert 1.8 < time.monotonic() - began < 2.0 + LATE


def test_a_connection_serves_so_many_requests_and_says_that_it_closes(raw: Raw) -> None:
    heard = raw.ask(health() * 9)
    assert (heard.statuses, heard.closed) == ([200] * 5, True)
    assert [answer.headers.get("connection", "") for answer in heard.answers] == ["", "", "", "", "close"]


@pytest.mark.parametrize("half", [False, True], ids=["read", "half-closed"])
def test_who_has_read_the_last_answer_and_leaves_is_let_go_at_once(raw: Raw, half: bool) -> None:
    """A place that is kept for somebody who has gone is refused to somebody else, and holds a service up that stops."""
    before = raw.files
    for _ in range(10):
        assert raw.ask(health(b"Connection: close"), half=half).closed
    until = time.monotonic() + 0.7  # a second is what somebody gets who does not leave
    while raw.files > before:
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("start", [POST, JSON], ids=["form", "JSON"])
@pytest.mark.parametrize("kind", ["length", "chunks", "expected"])
def test_a_huge_body_is_refused_before_it_is_read(raw: Raw, start: bytes, kind: str) -> None:
    huge = b"a" * 1_000_000
    sent = {
        "length": (head(start, HOST, KIND, b"Content-Length: 15000000"), huge),
        "chunks": (head(start, HOST, KIND, b"Transfer-Encoding: chunked"), chunked(huge)),
        "expected": (head(start, HOST, KIND, b"Expect: 100-continue", b"Content-Length: 15000000"),),
    }[kind]
    before = raw.decisions()
    heard = raw.ask(*sent)
    assert (heard.statuses, heard.closed) == ([413], True), heard.raw[:300]
    told = heard.answers[0].document
    assert (told["reason"], told["error"], "sts_error" in told) == ("body_too_large", "invalid_request", start is JSON)
    assert raw.decisions() == before


def test_a_form_of_the_longest_length_is_read(raw: Raw) -> None:
    body = form() + b"&x="
    heard = raw.ask(exchange(body=body + b"a" * (65_536 - len(body)), close=True))
    assert heard.statuses == [200]


@pytest.mark.parametrize(
    "fields",
    {
        "many": [b"X-%d: y" % n for n in range(101)],
        "very many": [b"X-%d: y" % n for n in range(5000)],
        "long": [b"X: " + b"y" * 70_000],
        "endless": [b"X: " + b"y" * 2_000_000],
    }.items(),
    ids=lambda case: case[0],
)
def test_too_many_or_too_long_headers_are_refused(raw: Raw, fields: tuple[str, list[bytes]]) -> None:
    before = raw.decisions()
    heard = raw.ask(exchange(*fields[1]))
    assert (heard.statuses, heard.closed) == ([431], True)
    assert heard.answers[0].document["reason"] == "head_too_large"
    assert raw.decisions() == before


def test_a_long_target_is_refused_and_one_within_the_bound_is_served(raw: Raw) -> None:
    assert raw.ask(head(b"GET /health?" + b"a" * 40_000 + b" HTTP/1.1", HOST)).statuses == [431]
    assert raw.ask(head(b"GET /health?" + b"a" * 30_000 + b" HTTP/1.1", HOST), until=1).statuses == [200]


def test_a_body_in_very_many_pieces_is_refused(raw: Raw) -> None:
    pieces = b"1\r\na\r\n" * 5000
    heard = raw.ask(head(POST, HOST, KIND, b"Transfer-Encoding: chunked") + pieces)
    assert (heard.statuses, heard.answers[0].document["reason"]) == ([400], "framing_unsound")


def test_who_goes_on_after_the_last_answer_is_cut_off(raw: Raw) -> None:
    with raw.connect() as connection:
        assert flooded(connection, head(b"GET /health HTTP/1.1", HOST, b"Connection: close") * 100) < 30_000_000
    assert raw.works()


@pytest.mark.parametrize("server", SERVERS)
def test_who_asks_and_does_not_read_is_cut_off_and_costs_no_memory(server: str, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"write_timeout": 1.0}) as raw, socket.socket() as connection:
        assert raw.works()
        before = raw.memory
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", raw.served.port))
        flooded(connection, head(b"GET /metrics HTTP/1.1", HOST) * 50)
        assert raw.memory - before < 30_000_000
        assert raw.works()


def flooded(connection: socket.socket, many: bytes) -> int:
    """Send the same over and over and read nothing, until the server ends it; how many bytes that took."""
    connection.settimeout(0.2)
    sent, rest, deadline = 0, many, time.monotonic() + 40
    with suppress(ConnectionError):
        while time.monotonic() < deadline:
            with suppress(TimeoutError):
                sent += (count := connection.send(rest))
                rest = rest[count:] or many
        raise AssertionError("the server did not end it")
    return sent


def test_unfinished_requests_are_kept_within_a_bound_over_all_connections(raw: Raw) -> None:
    waiting = [raw.connect() for _ in range(30)]
    try:
        for connection in waiting:
            connection.sendall(head(POST, HOST, KIND, b"Content-Length: 60000") + b"a" * 50_000)
        statuses = [hear(connection).statuses for connection in waiting]
    finally:
        for connection in waiting:
            connection.close()
    assert [503] in statuses  # more than a million bytes
    assert statuses.count([408]) >= 15
    assert all(status in ([503], [408]) for status in statuses)


def test_the_service_stops_with_what_was_accepted_answered_and_nothing_else_waited_for(tmp_path: Path) -> None:
    for server in SERVERS:
        folder = tmp_path / server
        folder.mkdir()
        with raw_service(folder, server) as raw, raw.connect() as idle, raw.connect() as begun:
            begun.sendall(exchange()[:-5])
            time.sleep(0.3)
            os.kill(raw.served.supervisor, signal.SIGTERM)
            assert hear(idle).raw == b""
            begun.sendall(exchange()[-5:])
            heard = hear(begun)
            assert (heard.statuses, heard.closed, heard.answers[0].headers["connection"].lower()) == ([200], True, "close")
            assert raw.served.stop() == 0
