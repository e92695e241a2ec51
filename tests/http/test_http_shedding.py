"""Too many, too often, too late: told so early on both servers, in the endpoint's own words, and nothing is done for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from habits.raw import SERVERS, Answer, Raw, exchange, form, head, health, raw_service

HOST = b"Host: sts.example.test"
HERE, THERE = "127.0.0.1", "127.0.0.2"
WRONG = form(secret="wrong")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Any:
    return request.param


def once(raw: Raw, request: bytes, address: str = HERE) -> Answer:
    heard = raw.ask(request, until=1, address=address)
    assert len(heard.answers) == 1, heard
    return heard.answers[0]


def json_exchange(*headers: bytes) -> bytes:
    body = b'{"grant_type":"urn:ietf:params:oauth:grant-type:token-exchange"}'
    own = (HOST, b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    return head(b"POST /v1/exchange/token HTTP/1.1", *own, *headers) + body


def is_shed(answer: Answer, status: int, error: str, reason: str) -> None:
    assert (answer.status, answer.document["error"], answer.document["reason"]) == (status, error, reason)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


def test_an_address_that_asks_too_often_is_told_429_and_others_are_served(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"address_rate": 0.05, "address_burst": 6}) as raw:
        assert [once(raw, exchange(), THERE).status for _ in range(6)] == [200] * 6
        before = raw.decisions()
        is_shed(once(raw, exchange(), THERE), 429, "temporarily_unavailable", "too_many_requests")
        told = once(raw, json_exchange(b"X-Request-ID: abc"), THERE)
        is_shed(told, 429, "access_denied", "too_many_requests")
        assert (told.document["sts_error"], told.document["request_id"]) == ("temporarily_unavailable", "abc")
        spoofed = (b"X-Forwarded-For: 10.1.2.3", b"Forwarded: for=10.1.2.3", b"X-Real-IP: 10.1.2.3", b"Client-IP: 10.1.2.3")
        assert once(raw, exchange(*spoofed), THERE).status == 429
        assert once(raw, health(), THERE).status == 200
        assert raw.decisions() == before  # nobody looked at them
        assert once(raw, exchange(*spoofed), HERE).status == 200


def test_an_address_may_ask_again_when_it_has_waited(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"address_rate": 2, "address_burst": 1}) as raw:
        assert once(raw, exchange(), THERE).status == 200
        assert once(raw, exchange(), THERE).status == 429
        time.sleep(0.7)
        assert once(raw, exchange(), THERE).status == 200


def test_a_client_that_asks_too_often_is_told_429_wherever_it_asks_from_and_others_are_served(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"client_rate": 0.05, "client_burst": 3}) as raw:
        assert [once(raw, exchange(), address).status for address in (HERE, THERE, HERE)] == [200] * 3
        assert [once(raw, exchange(), address).status for address in (HERE, HERE, THERE)] == [200, 200, 429]
        is_shed(once(raw, exchange(), HERE), 429, "temporarily_unavailable", "too_many_requests")
        assert once(raw, json_exchange(), HERE).status == 400  # who names no client is none


def test_a_stranger_who_claims_an_id_does_not_lock_its_owner_out(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"client_rate": 0.05, "client_burst": 3, "failures": 3}) as raw:
        assert once(raw, exchange(), HERE).status == 200
        statuses = [once(raw, exchange(body=WRONG), THERE).status for _ in range(6)]
        assert (statuses[0], statuses[-1]) == (401, 429)
        assert once(raw, exchange(), HERE).status == 200


def test_guessing_a_secret_is_slowed_down_before_it_is_proved(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"failures": 4}) as raw:
        assert [once(raw, exchange(body=WRONG), THERE).status for _ in range(4)] == [401] * 4
        is_shed(once(raw, exchange(body=WRONG), THERE), 429, "temporarily_unavailable", "too_many_requests")
        assert once(raw, exchange(), THERE).status == 429  # the right one as well, else 429 would say that it was wrong
        assert once(raw, exchange(body=form("other", "wrong")), THERE).status == 429  # another name does not help
        assert once(raw, exchange(body=WRONG), HERE).status == 429  # nor another address
        assert once(raw, exchange(body=form("unknown")), "127.0.0.3").status == 401
        assert once(raw, json_exchange(), THERE).status == 400  # who brings no secret guesses none


def test_guesses_count_also_where_the_client_is_known(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"failures": 4}) as raw:
        assert once(raw, exchange(), THERE).status == 200
        assert [once(raw, exchange(body=WRONG), THERE).status for _ in range(5)] == [401] * 4 + [429]


def test_without_a_limit_guesses_are_all_proved(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"failures": 0}) as raw:
        assert {once(raw, exchange(body=WRONG)).status for _ in range(35)} == {401}


SLOW = '''
import asyncio
from cambist import Permit, hookimpl

class Slow:
    """A policy that takes a second."""

    name = "slow"
    revision = "1"

    async def decide(self, question):
        await asyncio.sleep(1.0)
        return Permit()

@hookimpl
def cambist_policies(host):
    yield Slow()
'''


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "slow_policy_for_shedding.py").write_text(SLOW, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return {"slow": "slow_policy_for_shedding"}


def test_more_requests_at_once_than_can_be_answered_are_told_503_at_once(server: Any, tmp_path: Path, slow: dict[str, str]) -> None:
    with raw_service(tmp_path, server, {"in_progress": 3}, modules=slow) as raw:
        found: list[tuple[Answer, float]] = []

        def ask(request: bytes) -> None:
            began = time.monotonic()
            answer = once(raw, request)
            found.append((answer, time.monotonic() - began))

        threads = [threading.Thread(target=ask, args=(exchange(),)) for _ in range(10)]
        for thread in threads:
            thread.start()
        time.sleep(0.4)
        is_shed(once(raw, json_exchange()), 503, "server_error", "overloaded")
        assert once(raw, health()).status == 200  # busy is not dead
        for thread in threads:
            thread.join()
        served = [answer for answer, _ in found if answer.status == 200]
        shed = [(answer, seconds) for answer, seconds in found if answer.status == 503]
        assert (len(served), len(shed)) == (3, 7)
        assert all(seconds < 0.9 for _, seconds in shed)
        is_shed(shed[0][0], 503, "temporarily_unavailable", "overloaded")
        assert once(raw, exchange()).status == 200
        assert raw.decisions() == 4


def test_a_connection_too_many_is_told_503_and_closed_and_room_is_made_again(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, {"connections": 4}) as raw:
        held = [raw.connect() for _ in range(4)]
        for connection in held:
            connection.sendall(health())
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        heard = raw.ask()
        assert (heard.statuses, heard.closed) == ([503], True)
        is_shed(heard.answers[0], 503, "server_error", "overloaded")
        held.pop().close()
        time.sleep(0.2)
        assert once(raw, health()).status == 200
        for connection in held:
            connection.close()
        time.sleep(0.2)
        assert raw.works()
