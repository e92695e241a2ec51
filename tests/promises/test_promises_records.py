"""Exactly one record for each decision, before the answer, whatever was sent and whoever hangs up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import urlencode

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist import Credential, Host, Observer, Proven, Record, Validator, ZoneHost, hookimpl
from cambist.testing import ISSUER, AllowAll
from cambist.testing.trusting import Trusting
from cambist.web.app import create
from cambist.web.metrics import Metrics
from cambist.zone import TOKEN_EXCHANGE

from .asking import RESOURCES, Recipe, recipes
from .stage import API, BADGE, FORGE, FRESH, Asked, Badges, BadgeValidator, staged, whole

Message = MutableMapping[str, Any]


class Notes:
    """An observer that takes its time, and everything in the order in which it happened; it is its own plugin."""

    required = False

    def __init__(self) -> None:
        self.happened: list[tuple[str, str]] = []

    async def observe(self, record: Record) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.happened.append(("recorded", record.decision_id))

    @hookimpl
    def cambist_observers(self, host: Host) -> Iterator[Observer]:
        yield self

    def around(self, app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """The app, whose answers are noted as they leave it."""

        async def noted(scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
                    self.happened.append(("answered", headers.get("cambist-decision-id", "nothing")))
                await send(message)

            await app(scope, receive, sending)

        return noted


def plugins(notes: Notes) -> dict[str, Any]:
    return {"trusting": Trusting(FORGE), "badges": Badges(), "scripted": AllowAll(), "notes": notes}


FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BODIES = (b"", b"{}", b"[", b'{"grant_type": 1}', b"\xff\xfe", b"a=1&a=2", b"%zz=1", b"x" * 70_000, b"null", b"{" * 5000, b'{"a":1,"a":2}')
junk = st.tuples(
    st.sampled_from(("POST", "POST", "POST", "GET", "PUT", "BREW")),
    st.sampled_from(("/oauth/2/token", "/v1/exchange/token", "/oauth/2/token?grant_type=x")),
    st.sampled_from((FORM, JSON, "text/html", "application/json; charset=utf-16")),
    st.sampled_from(BODIES) | st.binary(max_size=40),
)


async def sent(http: httpx.AsyncClient, asked: Recipe | tuple[str, str, str, bytes]) -> httpx.Response:
    if isinstance(asked, Recipe):
        body = {"grant_type": TOKEN_EXCHANGE, **asked.members()}
        body.setdefault("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
        return await http.post("/v1/exchange/token", json=body)
    method, path, kind, content = asked
    return await http.request(method, path, content=content, headers={"content-type": kind})


@whole
@given(st.lists(recipes() | junk, min_size=3, max_size=6))
async def test_every_decision_has_exactly_one_record_before_the_answer(asked: list[Any]) -> None:
    """I12: permitted, refused, or not even readable."""
    notes = Notes()
    async with staged(modules=plugins(notes), resources=RESOURCES) as running:
        transport = httpx.ASGITransport(app=notes.around(create(running.sts, Metrics())))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            for one in asked:
                notes.happened.clear()
                answer = await sent(http, one)
                decision = answer.headers["cambist-decision-id"]
                assert notes.happened == [("recorded", decision), ("answered", decision)]
        assert len({record.decision_id for record in running.records}) == len(running.records) == len(asked)


class Pausing(BadgeValidator):
    """A validator that lets others run while it judges; it is its own plugin."""

    async def validate(self, credential: Credential) -> Proven:
        for _ in range(4):
            await asyncio.sleep(0)
        return await super().validate(credential)

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        yield self


async def hang_up(app: Any, path: str, members: dict[str, str], turns: int) -> None:
    """Send a request whole, and go away when the event loop has turned this often."""
    body = urlencode(members).encode() if path.startswith("/oauth") else json.dumps(members).encode()
    kind = FORM if path.startswith("/oauth") else JSON
    scope = {
        **{"type": "http", "http_version": "1.1", "method": "POST", "scheme": "https", "path": path, "raw_path": path.encode()},
        **{"query_string": b"", "root_path": "", "headers": [(b"content-type", kind.encode())], "client": ("127.0.0.1", 1)},
        "extensions": {},
    }
    whole_body: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if whole_body:
            return whole_body.pop()
        for _ in range(turns):
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        """Nobody listens."""

    await app(scope, receive, send)


@settings(whole, max_examples=30)
@given(st.integers(0, 20), st.sampled_from(("/oauth/2/token", "/v1/exchange/token")))
async def test_who_hangs_up_leaves_one_record_too(turns: int, path: str) -> None:
    """At whichever moment: what was begun is finished, what was issued is recorded, and what was spent is spent."""
    notes = Notes()
    async with staged(modules={**plugins(notes), "badges": Pausing()}) as running:
        members = {"grant_type": TOKEN_EXCHANGE, "subject_token": f"badge:ann:{next(FRESH)}", "subject_token_type": BADGE, "audience": API}
        await hang_up(create(running.sts, Metrics()), path, members, turns)
        await everything_else()
        begun = [record.outcome for record in running.records]
        assert begun in ([], ["permitted"])
        assert len(notes.happened) == len(begun)
        again = await Asked(running, "json", members).answer()
        assert again.status_code == (400 if begun else 200), "what was issued is spent, and nothing else is"


async def everything_else() -> None:
    """Wait until nobody works any more."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def test_what_only_reads_leaves_no_record() -> None:
    """There is nothing to account for, and a probe must not fill the ledger."""
    notes = Notes()
    async with staged(modules=plugins(notes)) as running:
        for path in ("/health", "/ready", "/metrics", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/nowhere"):
            await running.http.get(path)
        assert (notes.happened, running.records) == ([], [])
