"""Clients that nobody gave an HTTP client, sources that fail, and answers that never end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from cambist.client import AsyncClient, Client, CredentialUnreadable, ExchangeUnavailable, asking, blocking

STS = "https://sts.example.test"
GOOD = {"access_token": "issued", "token_type": "Bearer", "expires_in": 300}


async def test_a_client_of_its_own_is_closed_with_it() -> None:
    async with AsyncClient(STS, subject="token") as mine:
        closed = [mine._http.is_closed]
    with Client(STS, subject="token") as blocked:
        closed.append(blocked._http.is_closed)
    assert [*closed, mine._http.is_closed, blocked._http.is_closed] == [False, False, True, True]


async def test_a_client_that_was_given_is_left_open() -> None:
    async with httpx.AsyncClient() as http:
        async with AsyncClient(STS, subject="token", http=http):
            pass
        assert not http.is_closed


async def test_a_source_that_cannot_be_read_is_told_as_that_and_nobody_is_asked() -> None:
    async def gone() -> str:
        raise FileNotFoundError("/run/token")

    async with AsyncClient(STS, subject=gone) as mine:
        with pytest.raises(CredentialUnreadable, match="FileNotFoundError"):
            await mine.token(audience="https://api.example.test")


def test_several_targets_are_a_list_to_the_json_endpoint() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=GOOD)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with Client(STS, subject="token", dialect="json", http=http) as mine:
        mine.token(audience=["https://a.example.test", "https://b.example.test"])
    assert json.loads(sent[0].content)["audience"] == ["https://a.example.test", "https://b.example.test"]


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dripping(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    monkeypatch.setattr(blocking, "TIMEOUT", -1.0)
    assert asking.TIMEOUT > 0
    http = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping())))
    with Client(STS, subject="token", http=http) as mine, pytest.raises(ExchangeUnavailable):
        mine.token(audience="https://api.example.test")
