"""The one HTTP client calls whom it may, reads no more than it must, and answers or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from cambist import Unavailable
from cambist.egress import Answer, Egress, EgressSettings

URL = "https://keys.example/jwks?secret=1"


def egress(answer: Callable[[httpx.Request], Any], **settings: Any) -> Egress:
    return Egress(EgressSettings(**settings), httpx.MockTransport(answer))


async def asked(answer: Callable[[httpx.Request], Any], url: str = URL, **settings: Any) -> Answer:
    async with egress(answer, **settings) as http:
        return await http.get(url)


async def refused(answer: Callable[[httpx.Request], Any], url: str = URL, **settings: Any) -> Mapping[str, object]:
    with pytest.raises(Unavailable) as raised:
        await asked(answer, url, **settings)
    return raised.value.facts


async def test_an_answer_has_status_headers_and_body() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404, content=b"{}", headers={"x-a": "b"})

    found = await asked(answer)
    assert (found.status, found.headers["x-a"], found.body) == (404, "b", b"{}")
    assert b"{}" not in repr(found).encode()
    assert (seen[0].method, seen[0].headers["accept"], seen[0].headers["accept-encoding"]) == (
        "GET",
        "application/json, application/jwk-set+json",
        "identity",
    )


async def test_what_is_sent_is_sent_as_it_is() -> None:
    async with egress(lambda request: httpx.Response(200, content=request.content + request.headers["x-a"].encode())) as http:
        found = await http.send("POST", URL, headers={"x-a": "b"}, content=b"body")
    assert found.body == b"bodyb"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(status, headers={"location": "https://169.254.169.254/"})

    assert (await asked(answer)).status == status
    assert seen == [URL]


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example:8443/x",
        "HTTPS://A.example/",
        "http://localhost/x",
        "http://LOCALHOST:80/",
        "http://127.0.0.1:1234/",
        "http://[::1]/",
    ],
)
async def test_https_is_called_and_http_on_this_machine(url: str) -> None:
    assert (await asked(lambda _: httpx.Response(200), url)).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/",
        "http://127.0.0.1.a.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost.a.example/",
        "http://localhost\\@a.example/",
        "http://localhost:80@a.example/",
        "https://user:password@a.example/",
        "https://user@a.example/",
        "https://127.0.0.1%2f@a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "data:application/json,{}",
        "//a.example/",
        "a.example",
        "https:",
        "https:///x",
        "",
        " https://a.example",
        "http://[::1",
        "https://a.example:port/",
        "https://a\x00.example/",
        "https://a.example/\r\nHost: b.example",
        "https://a.example/\n",
        "https://\ud800.example/",
        "https://a.example/" + "a" * 70_000,
    ],
)
async def test_nobody_else_is_called_and_nothing_but_unavailable_is_raised(url: str) -> None:
    called: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return httpx.Response(200)

    facts = await refused(answer, url)
    assert not called
    assert "password" not in str(facts)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://127.0.0.1:1/", "https://127.0.0.1:1/"])
async def test_what_the_socket_does_not_take_is_unavailable(url: str) -> None:
    async with Egress(EgressSettings()) as http:
        with pytest.raises(Unavailable) as raised:
            await http.get(url)
    assert raised.value.facts["what"] == url


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ReadTimeout("no"), httpx.RemoteProtocolError("no"), ValueError("no"), OverflowError("no")]
)
async def test_whatever_goes_wrong_below_is_unavailable_and_told_without_the_query(error: Exception) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    assert await refused(answer) == {"what": "https://keys.example/jwks", "cause": type(error).__name__}


async def test_no_answer_in_time_is_unavailable() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200)

    assert (await refused(answer, timeout=0.02))["cause"] == "no answer in time"


async def test_an_answer_that_drips_is_cut_off_by_one_deadline_for_the_whole() -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.005)

    assert (await refused(lambda _: httpx.Response(200, content=drip()), timeout=0.05))["cause"] == "no answer in time"


async def test_the_time_that_is_configured_is_the_time_that_is_given() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200)

    await asked(answer, timeout=30, connect_timeout=20, read_timeout=25)
    assert (seen[0]["connect"], seen[0]["read"], seen[0]["write"]) == (20.0, 25.0, 30.0)  # httpx would give up after five seconds


async def test_silence_within_an_answer_ends_it_before_the_whole_time_is_over() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Egress(EgressSettings(timeout=30, read_timeout=0.05)) as http:
        with pytest.raises(Unavailable) as raised:
            await http.get(f"http://127.0.0.1:{port}/jwks")
        await over.wait()
    assert raised.value.facts["cause"] == "ReadTimeout"


async def test_who_hangs_up_while_we_wait_is_cancelled() -> None:
    waiting = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        waiting.set()
        await asyncio.sleep(5)
        return httpx.Response(200)

    task = asyncio.create_task(asked(answer))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_more_than_the_limit_is_read() -> None:
    drawn = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        while True:
            drawn += 1000
            yield b"x" * 1000

    assert (await refused(lambda _: httpx.Response(200, content=endless()), max_body=10_000))["cause"] == "an answer above the size limit"
    assert drawn <= 12_000
    exactly = await asked(lambda _: httpx.Response(200, content=b"x" * 10_000), max_body=10_000)
    assert len(exactly.body) == 10_000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "gzip, gzip"])
async def test_a_compressed_answer_is_refused_unread(coding: str) -> None:
    drawn: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        drawn.append(b"x")
        yield gzip.compress(b"0" * 10_000_000)

    facts = await refused(lambda _: httpx.Response(200, content=body(), headers={"content-encoding": coding}))
    assert "compressed" in str(facts["cause"])
    assert not drawn


async def test_no_cookie_is_kept() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers=[("set-cookie", "a=b; Path=/"), ("set-cookie", "c=d; Domain=keys.example")])

    async with egress(answer) as http:
        await http.get(URL)
        await http.get(URL)
    assert seen == [None, None]


async def test_the_environment_has_no_say_in_whom_we_talk_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("NETRC", str(netrc))
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Egress(EgressSettings()) as http:
        assert (await http.get(f"http://127.0.0.1:{port}/jwks")).body == b"{}"
    assert heads[0].startswith(b"GET /jwks HTTP/1.1")
    assert b"authorization" not in heads[0].lower()


@pytest.mark.parametrize("given", ["ca_file", "authorities"])
def test_a_certificate_file_that_is_none_keeps_it_shut(given: str, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for path in ("/nowhere.pem", junk, tmp_path):
        with pytest.raises(ValidationError, match="cannot be read as certificates"):
            EgressSettings.model_validate({given: path if given == "ca_file" else {"a.example": path}})


def test_a_proxy_is_told_only_by_whether_there_is_one() -> None:
    assert "secret" not in repr(EgressSettings.model_validate({"proxy": "https://user:secretword@proxy.example"})).replace("<secret>", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"timeout": 61},
        {"connect_timeout": 0},
        {"read_timeout": 0},
        {"max_body": 0},
        {"proxy": "x"},
        {"proxy": "socks5://proxy.example"},
        {"proxy": "http://"},
        {"proxy": "http://[::1"},
        {"private": [""]},
        {"private": ["*"]},
        {"private": ["*."]},
        {"private": ["*.*.example"]},
        {"private": ["a*.example"]},
        {"private": ["10.0.0.0/8"]},
        {"private": ["https://a.example"]},
        {"private": ["user@a.example"]},
        {"keys_max_age": 59},
        {"keys_max_age": 3601},
        {"keys_kept": 86_401},
        {"keys_kept": -1},
    ],
)
def test_settings_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EgressSettings.model_validate(wrong)
