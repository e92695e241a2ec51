"""The Quart app: one spelling for each path, JSON for everything, bounded bodies, and a failure that is told as one (H7 to H11)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from cambist.errors import PathUnknown
from cambist.settings import parse
from cambist.sts import Sts
from cambist.testing import AllowAll, MovableClock, Running, open_sts
from cambist.testing.service import AtHand
from cambist.web import app as web
from cambist.web.endpoints import refusing, with_allow
from cambist.web.metrics import Metrics
from cambist.wire.call import Call, Reply

READING = ("/health", "/ready", "/metrics", "/metrics.json", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server")
TOKEN = ("/oauth/2/token", "/v1/exchange/token")
HOSTS = [[(b"host", name)] for name in (b"other.test", b"\xff", b"", b"a" * 300, b"a..b", b"[::1", b"a:b", b"@", b"xn--\xff")]
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def raw(
    running: Running, method: str, path: str, *messages: dict[str, Any], headers: Any = (), query: bytes = b""
) -> tuple[int, tuple[dict[bytes, bytes], bytes]]:
    """One request as an ASGI server would hand it over, with a path and a body that no client would send."""
    app: Any = running.http._transport.app  # type: ignore[attr-defined]  # the app itself, below the client
    scope = {
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
    waiting = [*messages] or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], (dict(sent[0]["headers"]), body)


@pytest.mark.row("J-errors")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/health/",
        "/Health",
        "/v1/exchange/token/",
        "/v1/exchange",
        "/.well-known/",
        "/static/x",
        "/oauth/2/token/..",
        "/%00",
    ],
)
async def test_an_unknown_path_is_json_and_404_whatever_the_method(path: str, method: str) -> None:
    async with open_sts({}) as running:
        answered = await running.http.request(method, path)
    document = answered.json()
    assert (answered.status_code, document["error"], document["reason"]) == (404, "not_found", "path_unknown")
    assert document["request_id"] == answered.headers["x-request-id"]
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cache-control"] == "no-store"
    assert "server" not in answered.headers
    assert running.records == []


@pytest.mark.parametrize("path", ["//health", "/oauth//2/token", "/./health", "/x/../health", "/health\x00", "/\u2028", "/health%2f", ""])
async def test_a_path_has_one_spelling(path: str) -> None:
    """H9: nothing is merged, nothing redirected."""
    async with open_sts({}) as running:
        status, (headers, body) = await raw(running, "GET", path)
    assert status == 404
    assert headers[b"content-type"] == b"application/json"
    assert b"location" not in headers
    assert b"<" not in body


@pytest.mark.row("J-errors")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO", "CONNECT"])
async def test_a_token_endpoint_takes_post_alone_and_says_so(method: str) -> None:
    """SF-07, H8."""
    async with open_sts({}) as running:
        for path, error in zip(TOKEN, ("invalid_request", "method_not_allowed"), strict=True):
            answered = await running.http.request(method, path)
            assert (answered.status_code, answered.headers["allow"]) == (405, "POST")
            assert method == "HEAD" or answered.json()["error"] == error
    assert [record.outcome for record in running.records] == ["method_not_allowed"] * 2


@pytest.mark.parametrize("path", READING)
async def test_what_only_reads_takes_get_and_head_and_says_so(path: str) -> None:
    async with open_sts({}) as running:
        for method in ("POST", "PUT", "OPTIONS", "FOO"):
            answered = await running.http.request(method, path)
            assert (answered.status_code, answered.headers.get_list("allow")) == (405, ["GET, HEAD"])
            assert answered.json()["reason"] == "method_not_allowed"
        got, head = await running.http.get(path), await running.http.head(path)
        assert got.status_code == head.status_code == 200
        assert head.headers["content-type"] == got.headers["content-type"]
    assert running.records == []


@pytest.mark.row("F-health")
async def test_health_says_that_the_process_answers_and_nothing_else() -> None:
    async with open_sts({}) as running:
        answered = await running.http.get("/health", headers={"x-request-id": "r-1"})
        assert (answered.status_code, answered.json(), answered.headers["x-request-id"]) == (200, {"status": "ok"}, "r-1")
        assert running.sts.zones.opened == ()


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", TOKEN)
async def test_a_body_above_the_limit_is_413_whether_it_is_announced_or_not(path: str) -> None:
    """H4."""

    async def chunks() -> Any:
        for _ in range(70):
            yield b"a" * 1000

    async with open_sts({}) as running:
        for content in (b"a" * 65_537, chunks()):
            answered = await running.http.post(path, content=content, headers=FORM)
            assert (answered.status_code, answered.json()["error"]) == (413, "invalid_request")
            assert answered.json()["details"]["expected"] == 65_536
        within = await running.http.post(path, content=b"a" * 65_536, headers=FORM)
        assert within.status_code == 400
    async with open_sts({"listen": {"max_body": 10}}) as running:
        assert (await running.http.post(path, content=b"a" * 11, headers=FORM)).status_code == 413


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    """H5."""
    async with open_sts({"listen": {"body_timeout": 0.05}}) as running:
        status, (_, body) = await raw(running, "POST", TOKEN[0], {"type": "http.request", "body": b"a", "more_body": True})
    assert status == 400
    assert b"the body did not arrive in time" in body
    assert [record.outcome for record in running.records] == ["malformed"]


async def test_a_body_that_nobody_asked_for_is_not_waited_for_either() -> None:
    async with open_sts({"listen": {"body_timeout": 0.05}}) as running:
        async with asyncio.timeout(5):
            status, (_, body) = await raw(running, "GET", "/health", {"type": "http.request", "body": b"a", "more_body": True})
    assert (status, body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1e3"])
async def test_a_length_that_is_none_is_no_failure(length: bytes) -> None:
    async with open_sts({}) as running:
        status, (headers, _) = await raw(running, "POST", TOKEN[0], headers=[(b"content-length", length)])
    assert status in (400, 413)
    assert headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("headers", [*HOSTS, [(b"x-a", b"\xff\xfe")], [(b"cookie", b"\xff=")], [(b"accept", b"image/png")]])
async def test_odd_headers_change_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    async with open_sts({}) as running:
        status, (_, body) = await raw(running, "GET", "/health", headers=headers)
    assert (status, body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("query", [b"\xff", b"zone_id=%ff", b"%00=1", b"a&b;c", b"zone_id"])
async def test_an_odd_query_is_no_failure(query: bytes) -> None:
    async with open_sts({}) as running:
        status, (headers, _) = await raw(running, "GET", "/.well-known/jwks.json", query=query)
        assert status in (200, 400, 404)
        assert headers[b"content-type"] == b"application/json"
        status, _ = await raw(running, "POST", TOKEN[0], query=query, headers=[(b"content-type", FORM["content-type"].encode())])
        assert status == 400


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("J-errors")
async def test_an_error_of_ours_is_a_500_in_json_and_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """H11: neither an HTML page nor a trace of it, and not a path that is unknown."""
    async with open_sts({}) as running:
        monkeypatch.setattr(running.sts, "ready", lambda: 1 / 0)
        answered = await running.http.get("/ready")
    document = answered.json()
    assert (answered.status_code, document["error"], document["reason"]) == (500, "server_error", "internal_fault")
    assert "ZeroDivisionError" not in answered.text
    assert document["request_id"] == answered.headers["x-request-id"]


async def test_a_listener_serves_only_its_own_paths() -> None:
    """Decision 22: what it does not serve is not there."""
    sts = Sts(
        parse({"issuer": "https://sts.example.test", "plugins": {"all": {}}}), clock=MovableClock(), finder=AtHand({"all": AllowAll()})
    )
    async with sts:
        app = web.create(sts, Metrics(), frozenset({"/health", "/.well-known/jwks.json"}))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://sts.example.test") as http:
            statuses = {path: (await http.get(path)).status_code for path in (*READING, *TOKEN)}
            assert (await http.request("FOO", TOKEN[0])).status_code == 404
    assert {path for path, status in statuses.items() if status == 200} == {"/health", "/.well-known/jwks.json"}
    assert set(statuses.values()) == {200, 404}


async def test_what_is_refused_without_a_route_is_told_in_the_words_of_the_json_page() -> None:
    async with open_sts({}) as running:
        reply = await refusing(running.sts, PathUnknown)(Call(method="GET", path="/x", request_id="r"))
    assert reply.status == 404


def test_a_reply_has_one_allow_header() -> None:
    reply = with_allow(Reply(status=405, body=b"x", headers=(("allow", "POST"), ("a", "b"))), "GET")
    assert (reply.status, reply.body, reply.headers) == (405, b"x", (("a", "b"), ("allow", "GET")))
