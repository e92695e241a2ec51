"""A whole service to ask at random: one issuer whom it trusts, applications that are agents, and badges that are used once."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from hypothesis import HealthCheck, settings

from cambist import Credential, Identity, Permit, Proven, Rejected, Unverified, Validator, ZoneHost, hookimpl
from cambist.client_assertion import JWT_BEARER
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.clock import NOON
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT

whole = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For what opens a service each time: thirty milliseconds."""

FOREIGN = "https://issuer.example.test"
API, OTHER = "https://api.example.test", "https://other.example.test"
BADGE = "urn:promises:token-type:badge"
AGENTS = ("planner", "fetcher", "writer", "clerk")
CLOCK = MovableClock()
FORGE = Forge(FOREIGN, ISSUER, CLOCK)
KEYS = {agent: Forge(agent, ISSUER, CLOCK) for agent in AGENTS}
FRESH = itertools.count()
"""Numbers for what must not be sent twice."""


class BadgeValidator:
    """Judges `badge:<name>:<id>`, and whatever secret follows: good for ten minutes, and once."""

    token_types = frozenset({BADGE})
    issuers = None

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        match credential.token.split(":"):
            case ["badge", name, token_id, *_]:
                who = Identity(issuer="https://badges.example.test", subject=name)
                return Proven(identity=who, expires_at=NOON + 600, token_id=token_id, single_use_until=NOON + 600)
        raise Rejected("no badge")


class Badges:
    """The plugin that offers it."""

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        yield BadgeValidator()


def applications() -> dict[str, Any]:
    """Each agent is an application, and has a name at the trusted issuer too."""
    return {
        agent: {"jwks": KEYS[agent].jwks, "identities": [{"issuer": FOREIGN, "subject": agent}], "grants": list(GRANTS)} for agent in AGENTS
    }


GRANTS = ("urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials")


def assertion(agent: str, **changes: Any) -> str:
    """A fresh client assertion."""
    changes = {"sub": agent, "exp": int(CLOCK()) + 60, "jti": f"assertion-{next(FRESH)}", **changes}
    return KEYS[agent].jwt(**changes)


def by(agent: str) -> dict[str, str]:
    """The parameters by which an agent proves itself."""
    return {"client_assertion": assertion(agent), "client_assertion_type": JWT_BEARER}


@dataclass(frozen=True)
class Asked:
    """One request: what is asked, by which of the two endpoints, and the way it is told there."""

    running: Running
    dialect: str
    members: Mapping[str, Any] = field(default_factory=dict)

    async def answer(self) -> httpx.Response:
        if self.dialect == "json":
            return await self.running.json(**self.members)
        several = [(name, one) for name in REPEATABLE for one in _listed(self.members.get(name, []))]
        single: dict[str, Any] = {name: str(self.members[name]) for name in self.members.keys() - REPEATABLE}
        return await self.running.form(*several, **single)


REPEATABLE = {"audience", "resource"}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


DIALECTS = ("json", "form")


@asynccontextmanager
async def staged(answer: Any = None, *, modules: Mapping[str, Any] | None = None, **table: Any) -> AsyncIterator[Running]:
    """The service, with a policy that answers as it is told."""
    decides = Scripted(Permit(multi_audience=True) if answer is None else answer)
    settings_table = {"authenticates": [JWT, BADGE], "applications": applications(), **table}
    at_hand = modules or {"trusting": Trusting(FORGE), "badges": Badges(), "scripted": decides}
    async with open_sts(settings_table, modules=at_hand, clock=CLOCK) as running:
        yield running


def claims(answer: httpx.Response) -> dict[str, Any]:
    """What the token of an answer says."""
    assert answer.status_code == 200, answer.text
    return dict(Compact.parse(answer.json()["access_token"]).claims)


def outcome(answer: httpx.Response) -> str:
    """`permitted`, or the reason code."""
    return "permitted" if answer.status_code == 200 else str(answer.json()["reason"])
