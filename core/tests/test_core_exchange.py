"""The story under stress: one record for every request, and nothing single-use is burnt by a request that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from cambist import Answer, Credential, Deny, Mark, Permit, PolicyInput, Role, Unavailable, hookimpl
from cambist.client_assertion import JWT_BEARER
from cambist.exchange import exchange
from cambist.keys import EphemeralKeys, SigningKey
from cambist.request import Dialect, ExchangeRequest
from cambist.store import MemoryStore
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

API = "https://api.example.test"
ACTION = {"htm": "GET", "htu": API, "nonce": "n-1"}
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s")


class Kept:
    """A plugin that keeps: a store and a key store that fail when they are told to."""

    def __init__(self, clock: MovableClock) -> None:
        kept = self
        self.store_fails: Exception | None = None
        self.keys_fail: Exception | None = None

        class Store(MemoryStore):
            async def claim(self, marks: Sequence[Mark]) -> Mark | None:
                if kept.store_fails:
                    raise kept.store_fails
                return await super().claim(marks)

        class Keys(EphemeralKeys):
            async def signing(self, zone_id: str) -> SigningKey:
                if kept.keys_fail:
                    raise kept.keys_fail
                return await super().signing(zone_id)

        self.store, self.keys = Store(clock), Keys(clock)

    @hookimpl
    def cambist_stores(self, host: Any) -> Iterator[MemoryStore]:
        yield self.store

    @hookimpl
    def cambist_keystores(self, host: Any) -> Iterator[EphemeralKeys]:
        yield self.keys


class Rules(Scripted):
    """A policy that does what the test says, also wait."""

    def __init__(self) -> None:
        super().__init__(Permit())
        self.does: Callable[[], Any] | None = None

    async def decide(self, question: PolicyInput) -> Answer:
        if self.does is not None:
            waited = self.does()
            if asyncio.iscoroutine(waited):
                await waited
        return await super().decide(question)


class Stage:
    """An open service, with a hand on everything that can fail."""

    def __init__(self, running: Running, rules: Rules, kept: Kept, issuer: Forge, signer: Forge) -> None:
        self.running, self.rules, self.kept, self.issuer, self.signer = running, rules, kept, issuer, signer

    def proof(self) -> dict[str, Any]:
        claims: dict[str, Any] = {"sub": "signer", "exp": int(self.signer.clock()) + 60}
        return {"client_assertion": self.signer.jwt(**claims), "client_assertion_type": JWT_BEARER}

    async def ask(self, **more: Any) -> httpx.Response:
        sent: dict[str, Any] = {"subject_token": self.issuer.jwt(), "audience": API, **more}
        return await self.running.json(**sent)

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.running.records]


@asynccontextmanager
async def staged(**settings: Any) -> AsyncIterator[Stage]:
    clock = MovableClock()
    issuer, signer = Forge("https://issuer.example.test", ISSUER, clock), Forge("signer", ISSUER, clock)
    rules, kept = Rules(), Kept(clock)
    modules = {"trusting": Trusting(issuer), "scripted": rules, "kept": kept}
    application = {"jwks": signer.jwks, "secret_hash": HASH, "grants": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]}
    document = {"authenticates": [JWT], "applications": {"signer": application}, **settings}
    async with open_sts(document, modules=modules, clock=clock) as running:
        yield Stage(running, rules, kept, issuer, signer)


# ── nothing is burnt ────────────────────────────────────────────────────────────────────────────────────


async def test_what_fails_before_it_is_spent_burns_nothing() -> None:
    async with staged() as stage:
        proof = stage.proof()
        stage.rules.answer = Deny()
        assert (await stage.ask(execution_scope=ACTION, **proof)).status_code == 403
        stage.rules.answer = Permit()
        stage.rules.does = lambda: 1 / 0
        assert (await stage.ask(execution_scope=ACTION, **proof)).status_code == 500
        stage.rules.does = None
        stage.kept.keys_fail = Unavailable(what="keys")
        assert (await stage.ask(execution_scope=ACTION, **proof)).status_code == 503
        stage.kept.keys_fail = None
        stage.kept.store_fails = Unavailable(what="store")
        assert (await stage.ask(execution_scope=ACTION, **proof)).status_code == 503
        stage.kept.store_fails = None
        assert (await stage.ask(execution_scope=ACTION, scope="a", **{**proof, "client_id": "other"})).status_code == 403
        assert (await stage.ask(execution_scope=ACTION, **proof)).status_code == 200
        assert (await stage.ask(execution_scope={**ACTION, "nonce": "n-2"}, **proof)).json()["reason"] == "replayed"


async def test_a_replayed_nonce_leaves_the_assertion_beside_it_unburnt() -> None:
    async with staged() as stage:
        assert (await stage.ask(execution_scope=ACTION)).status_code == 200
        proof = stage.proof()
        replayed = await stage.ask(execution_scope=ACTION, **proof)
        assert (replayed.status_code, replayed.json()["error_description"]) == (400, "the nonce was used before")
        assert (await stage.ask(**proof)).status_code == 200


async def test_of_many_at_once_with_one_assertion_one_is_served() -> None:
    async with staged() as stage:
        proof = stage.proof()
        answers = await asyncio.gather(*(stage.ask(**proof) for _ in range(20)))
        assert sorted(answered.status_code for answered in answers) == [200, *[403] * 19]


async def test_a_single_use_subject_is_accepted_once_and_another_is_not_touched() -> None:
    """TX-38: a JWT may be exchanged again, unless its type is one-time."""
    clock = MovableClock()
    issuer = Forge("https://issuer.example.test", ISSUER, clock)
    for trust, status in ((Trusting(issuer), 200), (Trusting(issuer, single_use_until=clock() + 600), 400)):
        async with open_sts({"authenticates": [JWT]}, modules={"trusting": trust}, clock=clock) as running:
            token = issuer.jwt()
            assert (await running.json(subject_token=token, audience=API)).status_code == 200
            assert (await running.form(subject_token=token, audience=API)).status_code == status
            assert (await running.json(subject_token=issuer.jwt(), audience=API)).status_code == 200


# ── one record each ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fails", "status", "reason"),
    [
        (Unavailable(what="x", cause="secret cause"), 503, "temporarily_unavailable"),
        (KeyError("secret cause"), 500, "plugin_fault"),
        (OSError("secret cause"), 500, "plugin_fault"),
    ],
)
@pytest.mark.parametrize("seam", ["store_fails", "keys_fail"])
async def test_whatever_a_keeper_raises_nothing_is_issued_and_one_record_is_kept(
    seam: str, fails: Exception, status: int, reason: str
) -> None:
    async with staged() as stage:
        setattr(stage.kept, seam, fails)
        refused = await stage.ask(execution_scope=ACTION)
        assert (refused.status_code, refused.json()["error"], refused.json()["reason"]) == (status, "server_error", reason)
        assert "secret cause" not in refused.text
        assert stage.outcomes == [reason]
        (record,) = stage.running.records
        assert record.refusal is not None
        assert record.refusal.facts["plugin"] == "kept"


async def test_every_request_leaves_exactly_one_record_however_it_ends() -> None:
    async with staged(deadline=0.05) as stage:
        requests: list[tuple[str, Callable[[], Any]]] = [
            ("permitted", stage.ask),
            ("malformed", lambda: stage.running.http.post("/v1/exchange/token", json=[])),
            ("method_not_allowed", lambda: stage.running.http.get("/oauth/2/token")),
            ("body_too_large", lambda: stage.running.http.post("/oauth/2/token", content=b"a" * 70_000)),
            ("zone_unknown", lambda: stage.ask(zone_id="nowhere")),
            ("token_type_unknown", lambda: stage.ask(subject_token_type="x")),
            ("credential_expired", lambda: stage.ask(subject_token=stage.issuer.jwt(exp=1))),
            ("client_authentication_failed", lambda: stage.ask(client_id="signer", client_secret="wrong")),
            ("scope_denied", lambda: stage.ask(subject_token=stage.issuer.jwt(scope="a"), scope="b")),
        ]
        for number, (outcome, request) in enumerate(requests, start=1):
            answered = await request()
            assert len(stage.outcomes) == number
            assert stage.outcomes[-1] == outcome
            assert answered.headers["cambist-decision-id"] == stage.running.records[-1].decision_id
        stage.rules.does = lambda: asyncio.sleep(5)
        late = await stage.ask()
        assert (late.status_code, late.json()["reason"], late.headers["retry-after"]) == (503, "deadline_exceeded", "5")
        assert len(stage.outcomes) == len(requests) + 1


async def test_a_caller_who_hangs_up_is_served_and_recorded_all_the_same() -> None:
    """Quart cancels a view whose client has gone; what was begun is finished."""
    async with staged() as stage:
        stage.rules.does = lambda: asyncio.sleep(0.05)
        task = asyncio.ensure_future(stage.ask(execution_scope=ACTION))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert stage.outcomes == ["permitted"]


async def test_a_story_that_is_cancelled_leaves_a_record_and_burns_nothing() -> None:
    async with staged() as stage:
        stage.rules.does = lambda: asyncio.sleep(5)
        token = stage.issuer.jwt()
        subject = Credential(token=token, token_type=JWT, role=Role.SUBJECT)
        request = ExchangeRequest(dialect=Dialect.V1, grant_type=TOKEN_EXCHANGE, subject=subject, targets=(API,))
        sts = stage.running.sts
        task = asyncio.ensure_future(exchange(sts.zones, sts.ledger, lambda: request, deadline=5))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage.outcomes == ["cancelled"]


async def test_the_steps_of_the_story_are_told_in_order() -> None:
    """The key comes before what is spent: a dead key store burns nothing."""
    async with staged() as stage:
        await stage.ask(**stage.proof())
        names = " ".join(step.name for step in stage.running.records[0].trace.steps)
    assert names == "request zone possession client subject targets delegation question standing policy ruling key draft spend mint"
