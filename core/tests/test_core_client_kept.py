"""Tokens are asked for once, kept for whom they are, and renewed before they end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from cambist.client import AsyncClient, Client, ExchangeRefused, ExchangeUnavailable, IssuedToken
from cambist.client.kept import MOST, RETRY, Kept
from cambist.client.token import LAST
from cambist.testing import MovableClock

STS = "https://sts.example.test"
LIFETIME = 100


class Sts:
    """Issues tokens that are told apart by number, and counts."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.trouble: Callable[[], httpx.Response] | None = None
        self.lifetime = LIFETIME
        self.gate: asyncio.Event | None = None
        self.door: threading.Event | None = None

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(parse_qs(request.content.decode()))
        if self.trouble is not None:
            return self.trouble()
        number = len(self.asked)
        return httpx.Response(200, json={"access_token": f"t{number}", "token_type": "Bearer", "expires_in": self.lifetime})

    async def open(self, request: httpx.Request) -> httpx.Response:
        answer = self._answer(request)
        if self.gate is not None:
            await self.gate.wait()
        return answer

    def open_blocking(self, request: httpx.Request) -> httpx.Response:
        answer = self._answer(request)
        if self.door is not None:
            assert self.door.wait(10)
        return answer


class Stage:
    """One client of one kind, its service, and its clock."""

    def __init__(self, kind: str) -> None:
        self.service, self.clock, self.kind = Sts(), MovableClock(), kind
        self.subject = "ann"

    def client(self, **more: Any) -> Any:
        given = {"subject": lambda: self.subject, "clock": self.clock, **more}
        if self.kind == "async":
            http = httpx.AsyncClient(transport=httpx.MockTransport(self.service.open))
            return AsyncClient(STS, http=http, **given)
        return Client(STS, http=httpx.Client(transport=httpx.MockTransport(self.service.open_blocking)), **given)

    async def token(self, client: Any, **asked: Any) -> IssuedToken:
        given = {"audience": "a", **asked}
        found: IssuedToken = await client.token(**given) if self.kind == "async" else await asyncio.to_thread(client.token, **given)
        return found

    @property
    def count(self) -> int:
        return len(self.service.asked)


@pytest.fixture(params=["async", "blocking"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


async def test_a_token_is_asked_for_once_and_kept_until_a_fifth_of_its_life_is_left(stage: Stage) -> None:
    client = stage.client()
    first = await stage.token(client)
    stage.clock.move(LIFETIME * 0.8 - 1)
    assert await stage.token(client) is first
    stage.clock.move(1)
    await stage.token(client)
    await _settled()
    assert (await stage.token(client)).access_token == "t2"
    assert stage.count == 2


@pytest.mark.parametrize(
    "other",
    [{"audience": "b"}, {"audience": ["a", "b"]}, {"audience": (), "resource": "a"}, {"scope": "read"}, {"ttl": 60}],
    ids=str,
)
async def test_who_asks_for_something_else_does_not_get_what_is_kept(stage: Stage, other: dict[str, Any]) -> None:
    client = stage.client()
    tokens = {(await stage.token(client, **asked)).access_token for asked in ({}, other, {}, other)}
    assert (tokens, stage.count) == ({"t1", "t2"}, 2)


async def test_one_request_is_one_however_its_scopes_are_written(stage: Stage) -> None:
    client = stage.client()
    for scope in ("read write", ["write", "read"], {"read", "write"}, "write  read read"):
        await stage.token(client, scope=scope)
    assert stage.count == 1


async def test_who_shows_another_credential_does_not_get_what_was_issued_for_the_first(stage: Stage) -> None:
    client = stage.client()
    names: dict[str, set[str]] = {}
    for subject in ("ann", "bob", "ann", "bob"):
        stage.subject = subject
        names.setdefault(subject, set()).add((await stage.token(client)).access_token)
    assert (names, stage.count) == ({"ann": {"t1"}, "bob": {"t2"}}, 2)


async def test_an_actor_is_a_part_of_who_asks(stage: Stage) -> None:
    actors = iter(["x", "y", "x"])
    client = stage.client(actor=lambda: next(actors))
    assert [(await stage.token(client)).access_token for _ in range(3)] == ["t1", "t2", "t1"]


async def test_clients_share_nothing(stage: Stage) -> None:
    assert (await stage.token(stage.client())).access_token != (await stage.token(stage.client())).access_token


async def test_a_token_for_one_request_is_never_kept(stage: Stage) -> None:
    client = stage.client(dialect="json")
    execution = {"htm": "GET", "htu": "https://api", "nonce": "n"}
    assert [(await stage.token(client, execution=execution)).access_token for _ in range(2)] == ["t1", "t2"]


async def test_a_token_that_is_asked_for_as_new_is_new(stage: Stage) -> None:
    client = stage.client()
    await stage.token(client)
    found = await client.exchange(audience="a") if stage.kind == "async" else await asyncio.to_thread(client.exchange, audience="a")
    assert found.access_token == "t2"
    assert (await stage.token(client)).access_token == "t1"


async def test_a_token_is_not_handed_out_that_would_end_on_its_way(stage: Stage) -> None:
    client = stage.client()
    await stage.token(client)
    stage.service.trouble = lambda: httpx.Response(503)
    stage.clock.move(LIFETIME - LAST - 0.5)
    assert (await stage.token(client)).access_token == "t1"
    stage.clock.move(0.5)
    with pytest.raises(ExchangeUnavailable):
        await stage.token(client)


async def test_a_token_that_lives_for_a_moment_is_handed_out_and_asked_for_anew(stage: Stage) -> None:
    stage.service.lifetime = 3
    client = stage.client()
    assert [(await stage.token(client)).access_token for _ in range(2)] == ["t1", "t2"]


async def test_a_clock_that_was_set_back_does_not_make_a_token_live_for_ever(stage: Stage) -> None:
    client = stage.client()
    await stage.token(client)
    stage.clock.move(-3600)
    assert (await stage.token(client)).access_token == "t2"


async def test_the_old_token_serves_while_it_cannot_be_renewed_and_nobody_asks_at_each_call(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    client = stage.client()
    await stage.token(client)
    stage.service.trouble = lambda: httpx.Response(503, json={"error": "temporarily_unavailable"})
    stage.clock.move(LIFETIME * 0.8)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert (await stage.token(client)).access_token == "t1"
            await _settled()
    assert stage.count == 2
    assert [record.getMessage() for record in caplog.records if record.name.startswith("cambist")] == [
        "a token is not renewed yet: temporarily_unavailable: the service answered 503"
    ]
    stage.service.trouble = None
    stage.clock.move(RETRY)
    await stage.token(client)
    await _settled()
    assert (await stage.token(client)).access_token == "t3"


async def test_a_refusal_is_not_kept(stage: Stage) -> None:
    client = stage.client()
    stage.service.trouble = lambda: httpx.Response(400, json={"error": "invalid_grant"})
    for _ in range(2):
        with pytest.raises(ExchangeRefused):
            await stage.token(client)
    stage.service.trouble = None
    assert (await stage.token(client)).access_token == "t3"


async def test_what_was_closed_has_forgotten_its_tokens(stage: Stage) -> None:
    client = stage.client()
    await stage.token(client)
    await client.aclose() if stage.kind == "async" else client.close()
    assert (await stage.token(client)).access_token == "t2"


# ── several at once ─────────────────────────────────────────────────────────────────────────────────────


async def test_all_who_want_the_same_at_once_wait_for_one_exchange() -> None:
    stage = Stage("async")
    stage.service.gate, client = asyncio.Event(), stage.client()
    waiting = [asyncio.create_task(stage.token(client)) for _ in range(50)]
    await _settled(lambda: stage.count == 1)
    stage.service.gate.set()
    assert {token.access_token for token in await asyncio.gather(*waiting)} == {"t1"}
    assert stage.count == 1


def test_all_threads_that_want_the_same_at_once_wait_for_one_exchange() -> None:
    stage = Stage("blocking")
    stage.service.door, client = threading.Event(), stage.client()
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(client.token, audience="a") for _ in range(20)]
        stage.service.door.set()
        assert {one.result(10).access_token for one in waiting} == {"t1"}
    assert stage.count == 1


async def test_who_wants_something_else_waits_for_nobody() -> None:
    stage = Stage("async")
    stage.service.gate, client = asyncio.Event(), stage.client()
    slow = asyncio.create_task(stage.token(client))
    await _settled(lambda: stage.count == 1)
    other = asyncio.create_task(stage.token(client, audience="b"))
    await _settled(lambda: stage.count == 2)
    stage.service.gate.set()
    assert (await slow).access_token != (await other).access_token


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    stage = Stage("async")
    stage.service.gate, client = asyncio.Event(), stage.client()
    first, second = (asyncio.create_task(stage.token(client)) for _ in range(2))
    await _settled(lambda: stage.count == 1)
    first.cancel()
    stage.service.gate.set()
    assert (await second).access_token == "t1"
    assert stage.count == 1


async def test_all_who_wait_are_told_of_the_failure() -> None:
    stage = Stage("async")
    stage.service.trouble = lambda: httpx.Response(400, json={"error": "invalid_grant"})
    stage.service.gate, client = asyncio.Event(), stage.client()
    waiting = [asyncio.create_task(stage.token(client)) for _ in range(5)]
    await _settled(lambda: stage.count == 1)
    stage.service.gate.set()
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in failed] == [ExchangeRefused] * 5
    assert stage.count == 1


def test_a_thread_that_is_interrupted_does_not_leave_the_others_waiting() -> None:
    stage = Stage("blocking")
    client, begun, door = stage.client(), threading.Event(), threading.Event()

    def interrupted() -> httpx.Response:
        begun.set()
        assert door.wait(10)
        raise KeyboardInterrupt

    stage.service.trouble = interrupted
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.token, audience="a")
        assert begun.wait(10)
        (flight,) = client._flights.values()
        door.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(10)
        with pytest.raises(ExchangeUnavailable, match="gave up"):
            flight.result(10)
    stage.service.trouble = None
    assert client.token(audience="a").access_token == "t2"


async def test_the_old_token_is_handed_out_at_once_while_the_new_one_is_on_its_way() -> None:
    stage = Stage("async")
    client = stage.client()
    await stage.token(client)
    stage.clock.move(LIFETIME * 0.9)
    stage.service.gate = asyncio.Event()
    assert [(await stage.token(client)).access_token for _ in range(3)] == ["t1"] * 3
    await _settled(lambda: stage.count == 2)
    stage.service.gate.set()
    await _settled(lambda: not client._flights)
    assert (await stage.token(client)).access_token == "t2"


async def test_what_is_under_way_ends_when_the_client_is_closed() -> None:
    stage = Stage("async")
    stage.service.gate, client = asyncio.Event(), stage.client()
    waiting = asyncio.create_task(stage.token(client))
    await _settled(lambda: stage.count == 1)
    await client.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# ── more than one attempt ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, none of which takes time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("cambist.client.asynchronous.asyncio.sleep", sleep)
    monkeypatch.setattr("cambist.client.blocking.time.sleep", waits.append)
    return waits


async def test_a_service_that_says_when_to_come_again_is_asked_again_if_that_was_wanted(stage: Stage, waited: list[float]) -> None:
    answers = iter([httpx.Response(503, headers={"retry-after": "2"}), httpx.Response(503, headers={"retry-after": "0"})])

    def trouble() -> httpx.Response:
        try:
            return next(answers)
        except StopIteration:
            return httpx.Response(200, json={"access_token": "good", "token_type": "Bearer", "expires_in": 60})

    stage.service.trouble = trouble
    assert (await stage.token(stage.client(patience=5))).access_token == "good"
    assert (waited, stage.count) == ([2, 1], 3)


@pytest.mark.parametrize(
    ("patience", "status", "headers", "waits"),
    [
        (0, 503, {"retry-after": "0"}, []),
        (5, 503, {"retry-after": "6"}, []),
        (5, 503, {}, []),
        (5, 429, {"retry-after": "1"}, []),
        (5, 502, {"retry-after": "1"}, []),
        (5, 500, {"retry-after": "1"}, []),
        (5, 400, {"retry-after": "1"}, []),
        (5, 503, {"retry-after": "2"}, [2, 2]),
    ],
)
async def test_else_a_call_is_one_attempt_and_patience_ends(
    stage: Stage, waited: list[float], patience: float, status: int, headers: dict[str, str], waits: list[float]
) -> None:
    stage.service.trouble = lambda: httpx.Response(status, headers=headers, json={"error": "x"})
    with pytest.raises((ExchangeUnavailable, ExchangeRefused)):
        await stage.token(stage.client(patience=patience))
    assert (waited, stage.count) == (waits, 1 + len(waits))


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Kept()
    for number in range(MOST + 10):
        kept.keep(str(number), IssuedToken(access_token="t", token_type="Bearer", issued_at=0, expires_at=100))
    assert kept.find("9", 1) is None
    assert kept.find("10", 1) is not None
    assert len(kept._tokens) == MOST


async def _settled(done: Callable[[], bool] = lambda: False) -> None:
    """Until it is so, or whatever was begun beside us has had its turn: files and proofs are read in threads."""
    for _ in range(200):
        if done():
            return
        await asyncio.sleep(0.001)
