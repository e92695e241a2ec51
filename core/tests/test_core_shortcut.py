"""The shortcut before Quart's routing: whatever is asked, it answers as Quart would have, and what happened is told alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist.errors import Fault
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.web.endpoints import refusing
from cambist.web.limits import Limited
from cambist.web.shortcut import HOT, Shortcut, hot

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
TARGET = "https://api.target.example.com"
FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
RANDOM = (b"cambist-decision-id", b"x-request-id")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules = {"trusting": Trusting(forge)}
    async with open_sts(
        {"authenticates": [JWT], "listen": {"max_body": 2000, "body_timeout": 0.2}}, modules=modules, clock=clock
    ) as opened:
        opened.http.headers["subject"] = forge.jwt()
        yield opened


def shortcut(running: Running) -> Shortcut:
    app: Any = running.http._transport.app  # type: ignore[attr-defined]  # the app itself, below the client
    assert isinstance(app, Limited)
    assert isinstance(app.inner, Shortcut)
    return app.inner


async def sent(app: Any, scope: dict[str, Any], *messages: dict[str, Any]) -> Answer | None:
    waiting, answer = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    await app(scope, receive, send)
    if not answer:
        return None
    body = b"".join(message.get("body", b"") for message in answer[1:])
    return answer[0]["status"], sorted((n.lower(), v) for n, v in answer[0]["headers"] if n.lower() not in RANDOM), body


def scope(method: str, path: str, headers: list[tuple[bytes, bytes]], query: bytes = b"") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"sts.example.test"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 443),
    }


def alike(one: Answer | None, other: Answer | None) -> bool:
    """The same but for what is random: ids, tokens and their signatures."""
    if one is None or other is None:
        return one is other
    lengths = [[h for h in answer[1] if h[0] != b"content-length"] for answer in (one, other)]
    return one[0] == other[0] and lengths[0] == lengths[1] and _told(one[2]) == _told(other[2])


def _told(body: bytes) -> Any:
    document = json.loads(body)
    if decision := document.get("decision_id"):
        document = json.loads(body.replace(decision.encode(), b"-"))  # the description names it, too
    return {name: value for name, value in document.items() if name not in ("decision_id", "request_id", "access_token")}


async def both(running: Running, asked: dict[str, Any], *messages: dict[str, Any]) -> Answer | None:
    """What the shortcut answers; fails unless Quart answers, and the ledger is told, the same."""
    app = shortcut(running)
    here = await sent(app, asked, *messages)
    mine = [record.outcome for record in running.records]
    running.records.clear()
    there = await sent(app.inner, asked, *messages)
    assert alike(here, there), (here, there)
    assert mine == [record.outcome for record in running.records]
    running.records.clear()
    return here


def body(text: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": text, "more_body": False}


def asking(running: Running, **more: Any) -> bytes:
    members = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": JWT, "audience": TARGET}
    return json.dumps({**members, "subject_token": running.http.headers["subject"], **more}).encode()


async def test_an_exchange_is_answered_alike(running: Running) -> None:
    answer = await both(running, scope("POST", "/v1/exchange/token", [JSON, (b"x-request-id", b"mine")]), body(asking(running)))
    assert answer is not None
    assert answer[0] == 200


@pytest.mark.parametrize("path", sorted(HOT))
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"])
@pytest.mark.parametrize("query", [b"", b"zone_id=default", b"zone_id=none", b"zone_id=%FF&zone_id=\xff", b"\xc3\xa4"])
async def test_methods_and_queries_are_answered_alike(running: Running, path: str, method: str, query: bytes) -> None:
    app = shortcut(running)
    asked = scope(method, path, [FORM], query)
    here, there = await sent(app, asked, body(b"")), await sent(app.inner, asked, body(b""))
    assert here is not None
    assert there is not None
    assert (here[0], [h for h in here[1] if h[0] != b"content-length"]) == (there[0], [h for h in there[1] if h[0] != b"content-length"])
    if method != "HEAD":  # a server leaves out the body of that
        assert alike(here, there)


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"x" * 2001)],
        [{"type": "http.request", "body": b"x" * 1500, "more_body": True}, body(b"x" * 1500)],
        [body(b"{")],
        [body(b"\xff")],
        [body(b"")],
    ],
)
async def test_bad_bodies_are_answered_alike(running: Running, messages: list[dict[str, Any]]) -> None:
    answer = await both(running, scope("POST", "/v1/exchange/token", [JSON]), *messages)
    assert answer is not None
    assert answer[0] in (400, 413)


async def test_a_body_that_says_to_be_too_large_is_refused_before_it_is_read(running: Running) -> None:
    answer = await both(running, scope("POST", "/v1/exchange/token", [JSON, (b"content-length", b"99999")]), body(b"{}"))
    assert answer is not None
    assert answer[0] == 413


async def test_a_client_that_hangs_up_before_the_end_gets_no_answer_and_leaves_no_record(running: Running) -> None:
    app = shortcut(running)
    assert await sent(app, scope("POST", "/v1/exchange/token", [JSON]), {"type": "http.request", "body": b"{", "more_body": True}) is None
    assert running.records == []


async def test_a_body_that_does_not_arrive_is_refused_in_time(running: Running) -> None:
    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(5)
        return body(b"{}")

    answer: list[dict[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        answer.append(dict(message))

    await shortcut(running)(scope("POST", "/v1/exchange/token", [JSON]), receive, send)
    assert answer[0]["status"] == 400
    assert b"did not arrive in time" in answer[1]["body"]


async def test_a_fault_of_an_endpoint_is_told_as_one(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    app = shortcut(running)

    async def broken(call: Any) -> Any:
        raise RuntimeError("a secret")

    faulty = Shortcut(app.inner, hot({"/v1/exchange/token": broken}, refusing(running.sts, Fault)), app.listen)
    answer = await sent(faulty, scope("POST", "/v1/exchange/token", [JSON]), body(b"{}"))
    assert answer is not None
    assert (answer[0], json.loads(answer[2])["reason"]) == (500, "internal_fault")
    assert b"secret" not in answer[2]


async def test_what_a_listener_does_not_serve_is_left_to_quart(running: Running) -> None:
    app = shortcut(running)
    asked: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])

    without = Shortcut(inner, {"/.well-known/jwks.json": app.endpoints["/.well-known/jwks.json"]}, app.listen)
    for path in ("/v1/exchange/token", "/.well-known/jwks.json", "/health"):
        await sent(without, scope("GET", path, []), body(b""))
    assert asked == ["/v1/exchange/token", "/health"]


names = st.sampled_from([b"content-type", b"x-request-id", b"authorization", b"dpop", b"x-odd"])
values = st.sampled_from([b"", b"application/json", b"application/x-www-form-urlencoded", b"a b", b"Basic Og==", b"\xff", b"x" * 200])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["/oauth/2/token", "/v1/exchange/token"]),
    st.lists(st.tuples(names, values), max_size=4),
    st.one_of(st.binary(max_size=60), st.sampled_from([b"grant_type=client_credentials", b'{"grant_type":1}'])),
)
async def test_any_headers_and_bodies_are_answered_alike(
    running: Running, path: str, headers: list[tuple[bytes, bytes]], sent_body: bytes
) -> None:
    await both(running, scope("POST", path, headers), body(sent_body))
