"""Both forms of a listener: a server that calls a hot endpoint with a whole request is answered as every other server is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cambist import Answer, Permit, PolicyInput
from cambist.random_id import random_id
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.tracing.spans import Spans
from cambist.web.app import front
from cambist.web.front import Front
from cambist.web.metrics import Metrics
from cambist.wire.call import Call, Reply

JSON, FORM = "/v1/exchange/token", "/oauth/2/token"
PROXY, CLIENT = "10.0.0.1", "192.0.2.1"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Stage:
    """A service, both forms of it, and a token for its endpoints."""

    def __init__(self, running: Running, forge: Forge) -> None:
        self.running, self.forge = running, forge
        self.metrics = Metrics()
        self.front: Front = front(running.sts, self.metrics)

    def call(self, path: str = JSON, *, peer: str = CLIENT, body: bytes | None = None, **headers: str) -> Call:
        said = tuple((name.replace("_", "-"), value) for name, value in {"content_type": "application/json", **headers}.items())
        return Call(method="POST", path=path, headers=said, body=self.body() if body is None else body, request_id=random_id(), peer=peer)

    def body(self, **more: Any) -> bytes:
        asked = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": JWT, "audience": "https://api.test"}
        return json.dumps({**asked, "subject_token": self.forge.jwt(), **more}).encode()

    async def hot(self, call: Call) -> Reply:
        return await self.front.hot[call.path](call)

    async def asgi(self, call: Call) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.front.asgi, client=(call.peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            return await http.request(call.method, call.path, headers=dict(call.headers), content=call.body)


class Slow(Scripted):
    """A policy that answers when it is let."""

    def __init__(self) -> None:
        super().__init__(Permit())
        self.begun, self.free = asyncio.Event(), asyncio.Event()

    async def decide(self, question: PolicyInput) -> Answer:
        self.begun.set()
        await self.free.wait()
        return await super().decide(question)


@asynccontextmanager
async def opened(policy: Scripted | None = None, **settings: Any) -> AsyncIterator[Stage]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules = {"trusting": Trusting(forge), "scripted": policy or Scripted(Permit())}
    async with open_sts({"authenticates": [JWT], **settings}, modules=modules, clock=clock) as running:
        yield Stage(running, forge)


def status(answer: Reply | httpx.Response) -> int:
    return answer.status if isinstance(answer, Reply) else answer.status_code


async def test_a_hot_endpoint_answers_as_the_app_does() -> None:
    async with opened() as stage:
        for body in (None, b"{", b"", stage.body(subject_token="no token")):
            here, there = await stage.hot(stage.call(body=body)), await stage.asgi(stage.call(body=body))
            assert here.status == there.status_code
            assert [name for name, _ in here.headers] == [
                n for n in there.headers if n not in ("x-request-id", "x-content-type-options", "content-length")
            ]
            assert json.loads(here.body).keys() == there.json().keys()
        outcomes = [record.outcome for record in stage.running.records]
        assert outcomes[::2] == outcomes[1::2]


async def test_what_is_asked_all_the_time_is_hot_and_nothing_else() -> None:
    other = {"issuer": f"{ISSUER}/of/other", "authenticates": [JWT]}
    async with opened(zones={"other": other}) as stage:
        assert set(stage.front.hot) == {f"{zone}{path}" for zone in ("", "/of/other") for path in (JSON, FORM, "/.well-known/jwks.json")}
        assert front(stage.running.sts, stage.metrics, frozenset({"/health", "/.well-known/jwks.json"})).hot.keys() == {
            "/.well-known/jwks.json"
        }


async def test_both_forms_share_what_an_address_may_ask() -> None:
    async with opened(listen={"limits": {"address_rate": 0.001, "address_burst": 2}}) as stage:
        assert [(await stage.hot(stage.call())).status, (await stage.asgi(stage.call())).status_code] == [200, 200]
        here, there = await stage.hot(stage.call()), await stage.asgi(stage.call())
        assert (here.status, there.status_code) == (429, 429)
        assert json.loads(here.body)["reason"] == there.json()["reason"] == "too_many_requests"
        assert (await stage.hot(stage.call(peer="192.0.2.2"))).status == 200
        assert sum(sample["value"] for sample in stage.metrics.document()["cambist_turned_away_total"]) == 2


@pytest.mark.parametrize(("first", "second"), [("hot", "asgi"), ("asgi", "hot"), ("hot", "hot")])
async def test_both_forms_share_how_many_may_be_in_progress(first: str, second: str) -> None:
    policy = Slow()
    async with opened(policy, listen={"limits": {"in_progress": 1}}) as stage:
        begun = asyncio.create_task(getattr(stage, first)(stage.call()))
        await policy.begun.wait()
        assert status(await getattr(stage, second)(stage.call())) == 503
        policy.free.set()
        assert status(await begun) == 200
        assert status(await getattr(stage, second)(stage.call())) == 200


async def test_behind_a_listed_proxy_it_is_the_client_that_is_counted() -> None:
    async with opened(listen={"proxies": [PROXY + "/32"], "limits": {"address_rate": 0.001, "address_burst": 1}}) as stage:
        asked = [("198.51.100.1", PROXY, 200), ("198.51.100.1", PROXY, 429), ("198.51.100.2", PROXY, 200), ("198.51.100.3", CLIENT, 200)]
        for client, peer, status in [*asked, ("198.51.100.4", CLIENT, 429)]:  # which is no proxy of ours
            assert (await stage.hot(stage.call(peer=peer, x_forwarded_for=client))).status == status, (client, peer)


async def test_the_trace_that_a_caller_began_is_carried_on_and_ends_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(Spans, "exported", lambda: Spans(SimpleSpanProcessor(exporter)))
    async with opened(tracing=True) as stage:
        for ask in (stage.hot, stage.asgi):
            assert status(await ask(stage.call(traceparent=TRACEPARENT))) == 200
            assert status(await ask(stage.call())) == 200
    parents = [span.parent and span.parent.span_id for span in exporter.get_finished_spans() if span.name == "exchange"]
    assert parents == [0x00F067AA0BA902B7, None] * 2


async def test_a_fault_is_told_as_one_in_both_forms(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr("cambist.web.endpoints.exchange", broken)
    async with opened() as stage:
        here, there = await stage.hot(stage.call()), await stage.asgi(stage.call())
    assert (here.status, there.status_code) == (500, 500)
    assert json.loads(here.body)["reason"] == there.json()["reason"] == "internal_fault"
    assert b"secret" not in here.body + there.content
