"""What was acknowledged to those who asked, and what must still be true of it, in this round and in all that follow."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from cambist.compact import base64url
from cambist.revocation import Kind, Revocation, Revocations
from cambist.settings import parse
from cambist.sts import Sts

from .stage import ISSUER, LIFE, ONCE, Stage, asking, reason

CLIENTS = 4
SPARE = 40.0
"""Seconds before its end from which on a thing proves nothing any more: it may have expired when it is looked at."""


@dataclass(frozen=True)
class Thing:
    """Something that must stay as it is until an end, by a clock that nobody moves."""

    what: Any
    until: float


@dataclass
class Evidence:
    """Written by the clients under load, read when the trouble is over. `before` is that of all rounds before; `sample` of it is used."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    once: list[Thing] = field(default_factory=list)
    revoked: list[Thing] = field(default_factory=list)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    twice: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    before: Evidence | None = None
    sample: int = 60
    stop: threading.Event = field(default_factory=threading.Event)

    def load(self, stage: Stage) -> list[threading.Thread]:
        """Clients that ask until they are stopped, and one administrator who revokes."""
        workers = [threading.Thread(target=self._ask, args=(stage,)) for _ in range(CLIENTS)]
        workers.append(threading.Thread(target=self._revoke, args=(stage,)))
        for worker in workers:
            worker.start()
        return workers

    def spent(self) -> list[dict[str, Any]]:
        """What was accepted once, in this round and before, and could be accepted still."""
        return [*self._sampled(self.before.once if self.before else []), *_lasting(self.once)]

    def withdrawn(self) -> list[str]:
        """Tokens whose revocation was acknowledged, in this round and before."""
        return [*self._sampled(self.before.revoked if self.before else []), *_lasting(self.revoked)]

    def signed(self) -> list[str]:
        """Tokens that were issued: those of this round, and one of each key before."""
        return [token for _, token in (*(self.before.tokens if self.before else ()), *self.tokens)]

    def carried(self) -> Evidence:
        """What the rounds to come have to look at again."""
        by_key = {
            jwt_header(token)["kid"]: (decision, token) for decision, token in [*(self.before.tokens if self.before else ()), *self.tokens]
        }
        now = time.monotonic()
        once = [thing for thing in (*(self.before.once if self.before else ()), *self.once) if thing.until > now]
        revoked = [*(self.before.revoked if self.before else ()), *self.revoked]
        return Evidence(tokens=list(by_key.values()), once=once, revoked=revoked)

    def _sampled(self, things: list[Thing]) -> list[Any]:
        lasting = _lasting(things)
        return random.sample(lasting, min(len(lasting), self.sample))

    # ── the clients ─────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, stage: Stage) -> None:
        chance = random.Random()
        while not self.stop.is_set():
            with asking() as http, suppress(httpx.HTTPError):
                while not self.stop.is_set():
                    self._one(http, stage.exchange(stage.subject()))
                    self._single(http, chance.choice([stage.once, stage.once, stage.action])())
                    self._again(http, chance)
            self.stop.wait(0.2)  # nobody is there; a client that asks all the time would only keep the machine from bringing it back

    def _one(self, http: httpx.Client, request: dict[str, Any]) -> bool:
        answer = http.post(**request)
        self.answers[reason(answer)] += 1
        if granted := answer.status_code == httpx.codes.OK:
            self.tokens.append((answer.headers["cambist-decision-id"], answer.json()["access_token"]))
        return granted

    def _single(self, http: httpx.Client, request: dict[str, Any]) -> None:
        until = time.monotonic() + ONCE - SPARE
        try:
            if self._one(http, request):
                self.once.append(Thing(request, until))
        except httpx.HTTPError:
            self.unanswered.append(request)
            raise

    def _again(self, http: httpx.Client, chance: random.Random) -> None:
        """What was accepted is sent again in the midst of the trouble, too."""
        if spent := self.spent():
            self.twice += reason(http.post(**chance.choice(spent))) == "permitted"

    def _revoke(self, stage: Stage) -> None:
        """Each acknowledged revocation is of a token that was never sent before: only the store can know of it."""
        while not self.stop.is_set():
            token = stage.subject()
            with suppress(Exception):  # a store that is locked acknowledges nothing
                asyncio.run(_revoked(stage, token_id(token)))
                self.revoked.append(Thing(token, time.monotonic() + LIFE - SPARE))
            self.stop.wait(0.2)


def jwt_header(token: str) -> dict[str, Any]:
    return dict(json.loads(base64url(token.split(".", maxsplit=1)[0])))


def token_id(token: str) -> str:
    return str(json.loads(base64url(token.split(".")[1]))["jti"])


def _lasting(things: list[Thing]) -> list[Any]:
    now = time.monotonic()
    return [thing.what for thing in things if thing.until > now]


async def _revoked(stage: Stage, named: str) -> None:
    revocation = Revocation(zone="default", kind=Kind.TOKEN, parts=(ISSUER, named), at=time.time())
    async with Sts(parse(stage.settings)).only_store() as store:
        await Revocations(store).revoke(revocation, ttl=86_400 * 30)
