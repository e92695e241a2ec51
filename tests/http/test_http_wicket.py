"""What is asked all the time is answered at the gate, as the server behind would have answered it; everything else is the server's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from habits.raw import PATIENCE, SERVERS, Answer, Raw, exchange, form, head, raw_service
from habits.stage import PEER, Stage

from cambist.wire.call import Call, Reply
from cambist_hostapp.servers.framing import REMEMBERED

PATH = "/oauth/2/token"
HOST = b"Host: sts.example.test"
SAID = Reply(status=200, body=b"{}", headers=(("content-type", "application/json"),))


class Endpoint:
    """One that keeps what it is asked, and answers when it is let."""

    def __init__(self, reply: Reply | Exception = SAID) -> None:
        self.asked: list[Call] = []
        self.reply = reply
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call)
        await self.free.wait()
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def staged(reply: Reply | Exception = SAID) -> tuple[Stage, Endpoint]:
    endpoint = Endpoint(reply)
    return Stage({PATH: endpoint}), endpoint


def post(*lines: bytes, start: bytes = b"POST /oauth/2/token HTTP/1.1", body: bytes = b"a=b") -> bytes:
    return head(start, HOST, b"Content-Length: %d" % len(body), *lines) + body


async def test_what_is_hot_is_answered_at_the_gate() -> None:
    stage, endpoint = staged()
    stage.hear(post(b"X-Odd:  a  ", b"Content-Type: x/y", start=b"POST /oauth/2/token?c=%FF HTTP/1.1"))
    await stage.begun.pop()
    assert stage.server.given == []
    (call,) = endpoint.asked
    assert (call.method, call.path, call.query, call.body, call.peer) == ("POST", PATH, "c=%FF", b"a=b", PEER)
    assert call.headers == (("content-length", "3"), ("x-odd", "a"), ("content-type", "x/y"))  # Host decides nothing (decision 29)
    (said,) = stage.wire.written
    top, _, body = said.partition(b"\r\n\r\n")
    start, *lines = top.decode().split("\r\n")
    assert (start, body) == ("HTTP/1.1 200 OK", b"{}")
    names = [line.partition(": ")[0] for line in lines]
    assert names == ["content-type", "x-request-id", "x-content-type-options", "content-length", "date"]
    assert (f"x-request-id: {call.request_id}" in lines, "content-length: 2" in lines) == (True, True)


@pytest.mark.parametrize(
    "request_",
    [
        post(start=b"HEAD /oauth/2/token HTTP/1.1"),
        post(start=b"DELETE /oauth/2/token HTTP/1.1"),
        post(start=b"POST /oauth/2/token HTTP/1.0"),
        post(start=b"POST /oauth/2/toke%6E HTTP/1.1"),
        post(start=b"POST /oauth/2/token/ HTTP/1.1"),
        post(start=b"POST //oauth/2/token HTTP/1.1"),
        post(start=b"POST http://sts.example.test/oauth/2/token HTTP/1.1"),
        post(b"Upgrade: h2c"),
        post(b"Expect: 100-continue"),
        head(b"POST /oauth/2/token HTTP/1.1", HOST, b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ],
)
async def test_what_is_not_plainly_hot_is_left_to_the_server(request_: bytes) -> None:
    stage, endpoint = staged()
    stage.hear(request_)
    assert (len(stage.server.given), stage.begun, endpoint.asked) == (1, [], [])


async def test_a_head_that_comes_again_asks_the_same_by_another_name() -> None:
    stage, endpoint = staged()
    for sent in (post(), post(), post(b"X-Request-ID: mine"), post(b"X-Request-ID: mine"), post(b"X-Request-ID: not one"), post()):
        stage.hear(sent)
        await stage.begun.pop()
    names = [call.request_id for call in endpoint.asked]
    assert names[2:4] == ["mine", "mine"]
    assert len({*names} - {"mine", "not one"}) == 4


async def test_another_body_under_the_same_head_is_another_body() -> None:
    stage, endpoint = staged()
    for body in (b"a=b", b"c=d"):
        stage.hear(post(body=body))
        await stage.begun.pop()
    assert [call.body for call in endpoint.asked] == [b"a=b", b"c=d"]


async def test_a_long_head_is_read_anew_each_time() -> None:
    stage, endpoint = staged()
    long = b"X-Long: " + b"x" * REMEMBERED
    for sent in (post(long), post(long), post()):
        stage.hear(sent)
        await stage.begun.pop()
    assert ["x-long" in dict(call.headers) for call in endpoint.asked] == [True, True, False]


async def test_hot_and_other_requests_on_one_connection_are_answered_in_their_order() -> None:
    stage, endpoint = staged()
    other = post(start=b"POST /other HTTP/1.1")
    stage.hear(post() + other + post())
    assert (stage.server.given, len(stage.begun)) == ([], 1)
    await stage.begun.pop()
    assert (len(stage.wire.written), stage.server.given, stage.begun) == (1, [other], [])
    stage.say(b"head", b"body")
    stage.gate.answered()
    await stage.begun.pop()
    assert [len(endpoint.asked), len(stage.wire.written)] == [2, 3]
    assert stage.wire.did == ["pause", "pause", "pause", "resume"]


async def test_a_client_that_hangs_up_ends_nothing_that_was_begun() -> None:
    stage, endpoint = staged()
    endpoint.free.clear()
    stage.hear(post())
    answering = asyncio.ensure_future(stage.begun.pop())
    await asyncio.sleep(0)
    stage.gate.connection_lost(None)
    assert len(stage.kept) == 1  # by who outlives the connection
    endpoint.free.set()
    await answering
    assert (len(endpoint.asked), stage.wire.written) == (1, [])


async def test_who_asks_to_close_is_told_that_it_is_closed() -> None:
    stage, _ = staged()
    stage.hear(post(b"Connection: close"))
    await stage.begun.pop()
    assert b"\r\nconnection: close\r\n" in stage.wire.written[0]
    assert stage.wire.did == ["pause", "eof", "resume"]
    assert stage.gate.shut


async def test_the_last_request_of_a_connection_is_told_that_it_is() -> None:
    stage, _ = staged()
    stage.parting = True
    stage.hear(post())
    await stage.begun.pop()
    assert b"\r\nconnection: close\r\n" in stage.wire.written[0]
    assert stage.gate.shut


async def test_a_client_that_does_not_read_is_waited_for_by_the_server() -> None:
    stage, endpoint = staged()
    stage.gate.pause_writing()
    stage.hear(post())
    assert (len(stage.server.given), endpoint.asked) == (1, [])


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\rb", "a\r\n\r\nHTTP/1.1 200 OK"])
@pytest.mark.parametrize("place", [0, 1])
async def test_no_answer_is_split_in_two(value: str, place: int, caplog: pytest.LogCaptureFixture) -> None:
    """Response splitting: an answer that holds more than its own header lines is not written at all."""
    header = ("x-said", value) if place else (value, "said")
    stage, _ = staged(Reply(status=200, body=b"{}", headers=(header,)))
    with caplog.at_level(logging.CRITICAL + 1):
        stage.hear(post())
        await stage.begun.pop()
    assert (stage.wire.written, stage.wire.did) == ([], ["pause", "abort"])


async def test_an_endpoint_that_breaks_leaves_no_connection_open(caplog: pytest.LogCaptureFixture) -> None:
    stage, _ = staged(RuntimeError("a secret"))
    stage.hear(post())
    await stage.begun.pop()
    assert (stage.wire.written, stage.wire.did) == ([], ["pause", "abort"])
    assert "an answer could not be written" in caplog.text


# ── served ──────────────────────────────────────────────────────────────────────────────────────────────


def spelt_otherwise(request: bytes) -> bytes:
    """The same request for a server, which reads `%6E` as `n`, and another path for the wicket, which reads nothing into it."""
    start, line, rest = request.partition(b"\r\n")
    return start.replace(b"token", b"toke%6E").replace(b"jwks.json", b"jwks.jso%6E") + line + rest


def get(path: bytes, *lines: bytes) -> bytes:
    return head(b"GET %b HTTP/1.1" % path, HOST, *lines)


ASKED: dict[str, Callable[[], bytes]] = {
    "a token": exchange,
    "a wrong secret": lambda: exchange(body=form(secret="wrong")),
    "no form": lambda: exchange(body=b"\xff=%"),
    "twice the same": lambda: exchange(body=form() + b"&grant_type=x"),
    "a form for JSON": lambda: head(b"POST /v1/exchange/token HTTP/1.1", HOST, b"Content-Length: 3", b"Content-Type: a/b") + b"a=b",
    "no JSON": lambda: head(b"POST /v1/exchange/token HTTP/1.1", HOST, b"Content-Length: 1", b"Content-Type: application/json") + b"{",
    "no body": lambda: head(b"POST /v1/exchange/token HTTP/1.1", HOST, b"X-Request-ID: mine"),
    "another method": lambda: get(b"/oauth/2/token"),
    "keys": lambda: get(b"/.well-known/jwks.json"),
    "keys that are known": lambda: get(b"/.well-known/jwks.json", b"If-None-Match: *"),
    "keys of a zone that is none": lambda: get(b"/.well-known/jwks.json?zone_id=none"),
    "a query that is no text": lambda: get(b"/.well-known/jwks.json?zone_id=%ff&zone_id="),
}
OF_ITS_OWN = {"date", "x-request-id", "cambist-decision-id", "content-length", "etag"}


@pytest.fixture(scope="module", params=SERVERS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with raw_service(tmp_path_factory.mktemp("wicket"), request.param, {"failures": 0}) as served:
        yield served


def told(answer: Answer) -> Any:
    headers = {name: value for name, value in answer.headers.items() if name not in OF_ITS_OWN}
    body = (
        {name: value for name, value in answer.document.items() if name not in ("access_token", "error_description")} if answer.body else {}
    )
    own = {name: body.pop(name, None) is None for name in ("decision_id", "request_id")}
    return answer.status, headers, body, own


@pytest.mark.parametrize("what", ASKED)
def test_the_wicket_and_the_server_answer_alike_and_decide_as_often(raw: Raw, what: str) -> None:
    answers, decided = [], []
    for request in (ASKED[what](), spelt_otherwise(ASKED[what]())):
        before = raw.decisions()
        (answer,) = raw.ask(request, until=1).answers
        answers.append(told(answer))
        decided.append(raw.decisions() - before)
    assert answers[0] == answers[1]
    assert decided[0] == decided[1]


def test_both_are_asked_in_turn_over_one_connection(raw: Raw) -> None:
    requests = [exchange(), spelt_otherwise(exchange()), get(b"/health"), exchange(), get(b"/.well-known/jwks.json"), exchange(close=True)]
    heard = raw.ask(b"".join(requests))
    assert (heard.statuses, heard.closed) == ([200] * 6, True)
    assert [b"access_token" in answer.body for answer in heard.answers] == [True, True, False, True, False, True]


def test_what_was_begun_for_a_client_that_left_is_decided_and_the_next_is_served(tmp_path: Path) -> None:
    with raw_service(tmp_path, "hypercorn") as raw:
        before = raw.decisions()
        connection = raw.connect()
        connection.sendall(exchange())
        connection.close()
        deadline = time.monotonic() + PATIENCE
        while raw.decisions() == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert raw.decisions() == before + 1
        assert raw.works()
