"""A few thousand changed requests, in process; what `make fuzz` does over HTTP, for as long as one likes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist.testing import ISSUER, Forge, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from fuzz.judging import complaint
from fuzz.request import FORM, JSON, Request, Source, changed, good

FORGE = Forge("https://issuer.example.test", ISSUER, time.time)
SOURCE = Source.of(FORGE)
SEEN: Counter[int] = Counter()


@pytest.fixture(scope="module")
def forge() -> Forge:
    return FORGE


@pytest.fixture
async def running(forge: Forge) -> AsyncIterator[Running]:
    async with open_sts({"authenticates": [JWT]}, modules={"trusting": Trusting(forge)}, clock=time.time) as opened:
        yield opened


async def sent(running: Running, request: Request) -> tuple[int, dict[str, str], bytes, float]:
    """An ASGI client: some of what is sent, no HTTP client would."""
    app: Any = running.http._transport.app  # type: ignore[attr-defined]  # the app itself, below the client
    path, _, query = request.path.partition("?")
    headers = [(name.encode(), value.encode()) for name, value in request.headers]
    scope = {
        "type": "http",
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"sts.example.test"), *headers],
        "http_version": "1.1",
        "scheme": "https",
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 443),
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }
    messages = [{"type": "http.request", "body": request.content, "more_body": False}]
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    began = time.perf_counter()
    await app(scope, receive, send)
    took = time.perf_counter() - began
    told = {name.decode().lower(): value.decode() for name, value in answer[0]["headers"]}
    return answer[0]["status"], told, b"".join(message.get("body", b"") for message in answer[1:]), took


@pytest.mark.parametrize("kind", [FORM, JSON])
async def test_the_request_that_is_changed_is_a_good_one(running: Running, forge: Forge, kind: str) -> None:
    status, headers, body, _ = await sent(running, request := good(forge, kind))
    assert status == 200, body
    assert complaint(request, status, headers, body, 0.1) is None


@settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_whatever_is_changed_the_answer_is_one_of_ours(running: Running, forge: Forge, data: st.DataObject) -> None:
    request = data.draw(changed(SOURCE))
    status, headers, body, took = await sent(running, request)
    SEEN[status] += 1
    running.records.clear()
    assert complaint(request, status, headers, body, took) is None, (request, status, body[:300])


def test_the_changes_reach_what_they_are_meant_to_reach() -> None:
    """A changer whose requests all end at the same place would find nothing."""
    assert {200, 400, 404, 405} <= SEEN.keys() or not SEEN


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b'{"error":"server_error","reason":"internal_fault","request_id":"r"}', "status 500"),
        (503, b'{"error":"server_error","reason":"temporarily_unavailable","request_id":"r"}', "status 503"),
        (400, b"<html>", "no JSON"),
        (400, b'{"error":"x","reason":"KeyError(1)","request_id":"r"}', "words from inside"),
        (400, b'{"error":"x"}', "without its members"),
        (400, b'{"error":"x","reason":"y","request_id":"r"}', "without a decision"),
    ],
)
def test_what_is_no_answer_of_ours_is_told(forge: Forge, status: int, body: bytes, said: str) -> None:
    assert said in str(complaint(good(forge, JSON), status, {}, body, 0.1))
    assert "took" in str(complaint(good(forge, JSON), status, {}, body, 1.5))
