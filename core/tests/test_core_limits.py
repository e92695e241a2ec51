"""Buckets, the throttle and the outermost wrapper, with a clock to move."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cambist.client_secret import CLIENT_SECRET, credential_text
from cambist.credential import Credential, Role
from cambist.errors import CallerUnproved, Denied, TooManyRequests
from cambist.limits import Limits
from cambist.request import Dialect, ExchangeRequest
from cambist.testing import MovableClock
from cambist.web.buckets import Buckets
from cambist.web.limits import Lag, Limited
from cambist.web.throttle import Throttle, Visit, claimed


def request(name: str = "app", *, by: str = CLIENT_SECRET, client_id: str | None = None) -> ExchangeRequest:
    token = credential_text(name, "s") if by == CLIENT_SECRET else name
    credential = Credential(token=token, token_type=by, role=Role.CLIENT)
    return ExchangeRequest(dialect=Dialect.OAUTH, grant_type="x", client=credential, client_id=client_id)


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = MovableClock()
    buckets = Buckets(2.0, 3, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b") == 0.0
    clock.move(0.5)
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.5]
    clock.move(100)
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_who_insists_does_not_wait_longer() -> None:
    clock = MovableClock()
    buckets = Buckets(1.0, 1, clock=clock)
    assert buckets.take("a") == 0.0
    assert {buckets.take("a") for _ in range(100)} == {1.0}
    clock.move(1)
    assert (buckets.wait("a"), buckets.take("a")) == (0.0, 0.0)


def test_buckets_forget_who_was_not_seen_for_longest() -> None:
    buckets = Buckets(0.001, 1, most=3, clock=MovableClock())
    assert [buckets.take(key) for key in "abc"] == [0.0] * 3
    assert buckets.take("a") > 0
    assert buckets.take("d") == 0.0
    assert len(buckets) == 3
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0.0  # forgotten, so full again


def test_a_rate_of_nothing_is_no_limit_and_remembers_nobody() -> None:
    buckets = Buckets(0.0, 1)
    assert {buckets.take(key) for key in range(100)} == {0.0}
    assert (len(buckets), buckets.wait(1)) == (0, 0.0)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (request("a b"), "a b"),
        (request("app", client_id="other"), "other"),
        (request("not a token", by="jwt"), None),
        (request("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhcHAifQ.AA", by="jwt"), "app"),
        (request("x" * 1000), "x" * 128),
        (ExchangeRequest(dialect=Dialect.V1, grant_type="x"), None),
    ],
)
def test_whose_request_it_claims_to_be(sent: ExchangeRequest, name: str | None) -> None:
    assert claimed(sent) == (None if name is None else ("default", name))


def failing(throttle: Throttle, peer: str, sent: ExchangeRequest, refusal: Any = CallerUnproved) -> bool:
    """One visit that ends in a refusal; whether it got as far."""
    visit = Visit(throttle, peer)
    try:
        visit.admitted(sent)
    except TooManyRequests:
        return False
    visit.refused(refusal())
    return True


def test_guesses_are_counted_for_the_address_and_for_the_client() -> None:
    clock = MovableClock()
    throttle = Throttle(Limits(failures=2), clock)
    assert [failing(throttle, "1.1.1.1", request()) for _ in range(3)] == [True, True, False]
    assert failing(throttle, "1.1.1.1", request("other")) is False
    assert failing(throttle, "2.2.2.2", request()) is False
    assert failing(throttle, "2.2.2.2", request("other")) is True
    clock.move(60)
    assert failing(throttle, "1.1.1.1", request()) is True


def test_only_a_secret_that_was_wrong_is_a_guess() -> None:
    throttle = Throttle(Limits(failures=1), MovableClock())
    assert [failing(throttle, "1.1.1.1", request(), Denied) for _ in range(3)] == [True] * 3
    assert [failing(throttle, "1.1.1.1", request("x", by="jwt", client_id="app")) for _ in range(3)] == [True] * 3


def test_who_proved_itself_is_held_up_by_its_own_guesses_alone() -> None:
    clock = MovableClock()
    throttle = Throttle(Limits(failures=2), clock)
    visit = Visit(throttle, "1.1.1.1")
    visit.admitted(request())
    visit.proved()
    assert [failing(throttle, "9.9.9.9", request()) for _ in range(3)] == [True, True, False]
    assert [failing(throttle, "1.1.1.1", request("other")) for _ in range(3)] == [True, True, False]
    assert [failing(throttle, "1.1.1.1", request()) for _ in range(3)] == [True, True, False]
    clock.move(3601)  # and an hour after that it is a stranger again
    assert [failing(throttle, "9.9.9.9", request()) for _ in range(3)] == [True, True, False]
    assert failing(throttle, "1.1.1.1", request()) is False


def test_of_the_addresses_that_proved_themselves_the_one_that_was_not_seen_for_longest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory is bounded, whoever proves itself from wherever."""
    monkeypatch.setattr("cambist.web.throttle.MOST", 2)
    throttle, app = Throttle(Limits(failures=1), MovableClock()), ("default", "app")
    for peer in ("1.1.1.1", "2.2.2.2", "1.1.1.1", "3.3.3.3"):
        throttle.proved(peer, app)
    assert failing(throttle, "9.9.9.9", request()) is True  # from here on strangers are held up, and who is known is not
    assert [failing(throttle, peer, request()) for peer in ("1.1.1.1", "3.3.3.3", "2.2.2.2")] == [True, True, False]


def test_a_clients_rate_is_one_over_all_of_its_addresses() -> None:
    throttle = Throttle(Limits(client_rate=0.1, client_burst=2, failures=0), MovableClock())
    for peer in ("1.1.1.1", "2.2.2.2"):
        Visit(throttle, peer).admitted(request())
        throttle.proved(peer, ("default", "app"))
    for peer in ("1.1.1.1", "2.2.2.2"):
        Visit(throttle, peer).admitted(request())
    with pytest.raises(TooManyRequests) as told:
        Visit(throttle, "1.1.1.1").admitted(request())
    assert told.value.retry_after == 10


async def asked(app: Limited, path: str = "/oauth/2/token", **scope: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "client": ("1.1.1.1", 1), **scope}
    await app(whole, nothing, send)
    return sent


async def nothing() -> Any:
    raise AssertionError("nothing is received where nothing is begun")


async def served(scope: Any, receive: Any, send: Any) -> None:
    await send({"served": scope["path"]})


async def late() -> None:
    """The event loop comes too late to what is due by now."""
    time.sleep(0.3)
    await asyncio.sleep(0.01)


async def test_a_late_event_loop_sheds_a_crowd_and_not_a_single_request() -> None:
    release = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()

    app = Limited(slow, Limits(lag=0.1))
    crowd = [asyncio.create_task(asked(app)) for _ in range(10)]
    await asyncio.sleep(0)
    await late()
    async with asyncio.timeout(5):
        assert (await asked(app))[0]["status"] == 503
    release.set()
    await asyncio.gather(*crowd)

    alone = Limited(served, Limits(lag=0.1))
    assert await asked(alone) == [{"served": "/oauth/2/token"}]
    await late()
    assert await asked(alone) == [{"served": "/oauth/2/token"}]


async def test_lag_is_measured_only_while_there_are_requests() -> None:
    lag = Lag()
    lag.watch()
    await late()
    assert lag.seconds > 0.1
    await asyncio.sleep(0.2)
    before = lag.seconds
    await late()
    assert lag.seconds == before < 0.1


async def test_what_is_no_request_is_left_to_others() -> None:
    app = Limited(served, Limits(in_progress=1))
    assert await asked(app, type="lifespan") == [{"served": "/oauth/2/token"}]


async def test_a_peer_without_an_address_is_one_peer() -> None:
    app = Limited(served, Limits(address_rate=0.1, address_burst=1))
    assert await asked(app, client=None) == [{"served": "/oauth/2/token"}]
    assert (await asked(app, client=None))[0]["status"] == 429
    assert await asked(app) == [{"served": "/oauth/2/token"}]
    assert await asked(app, path="/health", client=None) == [{"served": "/health"}]
