"""A service with one plugin that is not to be trusted, among others that are good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx

from cambist import Credential, Identity, Proven, Unverified, hookimpl
from cambist.compact import Compact
from cambist.testing import AllowAll, MovableClock, Running, open_sts
from cambist.testing.clock import NOON

GOOD, EVIL = "urn:hostile:token-type:good", "urn:hostile:token-type:evil"
API = "https://api.example.test"
TOKEN = "badge:ann:canary-8d1c0f4a"
"""The credential that everybody sends; it must not be seen where it does not belong."""

Offering = Callable[[Any], Iterable[object]]


def plugin(**offering: Offering) -> ModuleType:
    """A plugin module made of its hooks: `validators`, `policies`, `stores`, `keystores`, `observers`."""
    module = ModuleType("evil")
    for seam, offers in offering.items():
        setattr(module, f"cambist_{seam}", _hook(f"cambist_{seam}", offers))
    return module


def _hook(name: str, offers: Offering) -> Callable[[Any], Iterable[object]]:
    def hook(host: Any) -> Iterable[object]:
        return offers(host)

    hook.__name__ = name
    return hookimpl(hook)


def proof(**changes: Any) -> Proven:
    """What a good validator would answer, but for what is changed."""
    good: dict[str, Any] = {"identity": Identity(issuer="https://evil.example.test", subject="ann"), "expires_at": NOON + 600}
    return Proven(**good | changes)


class Judge:
    """A validator that behaves as it is told: `answer` is called with the credential, awaited if need be, and its word is the answer."""

    def __init__(self, answer: Callable[[Credential], object] = lambda credential: proof(), **more: Any) -> None:
        self.answer = answer
        self.token_types: Any = more.pop("token_types", frozenset({EVIL}))
        self.issuers: Any = more.pop("issuers", None)
        self.recognized: Callable[[], object] = more.pop("recognized", lambda: True)

    def recognizes(self, unverified: Unverified) -> bool:
        return self.recognized()  # type: ignore[return-value]  # junk on purpose

    async def validate(self, credential: Credential) -> Proven:
        return await word(self.answer, credential)  # type: ignore[no-any-return]  # junk on purpose


def good() -> ModuleType:
    """The neighbour: it takes a type of its own, and does no harm."""
    return plugin(validators=lambda host: [Judge(lambda credential: proof(identity=WHO), token_types=frozenset({GOOD}))])


WHO = Identity(issuer="https://good.example.test", subject="ann")
OPEN: Mapping[str, Any] = {
    "policy": "scripted",
    "deadline": 0.5,
    "zones": {"other": {"policy": "scripted", "authenticates": [GOOD]}},
    "authenticates": [GOOD],
}


@asynccontextmanager
async def among_others(evil: ModuleType, **table: Any) -> AsyncIterator[Running]:
    """The service, opened; `table` replaces its settings."""
    modules = {"evil": evil, "good": good(), "scripted": AllowAll()}
    async with open_sts({**OPEN, **table}, modules=modules, clock=MovableClock()) as running:
        yield running


async def ask(running: Running, token_type: str, zone: str = "default", **more: Any) -> httpx.Response:
    return await running.json(**{"subject_token": TOKEN, "subject_token_type": token_type, "audience": API, "zone_id": zone, **more})


async def others_are_served(running: Running, *zones: str) -> None:
    """Who has nothing to do with the plugin gets a token of its own, in these zones."""
    for zone in zones:
        answer = await ask(running, GOOD, zone)
        assert answer.status_code == 200, answer.text
        assert Compact.parse(answer.json()["access_token"]).claims["sub"].endswith("good.example.test/subject/ann")


async def is_refused(running: Running, answer: httpx.Response, reason: str, culprit: str | None = "evil") -> None:
    """A typed refusal, and one record, which names the plugin and does not tell the credential."""
    assert answer.status_code >= 400, answer.text
    assert answer.json()["reason"] == reason
    assert "access_token" not in answer.json()
    (record,) = running.records
    assert record.refusal is not None
    assert record.outcome == record.refusal.reason == reason
    assert record.refusal.facts.get("plugin") == culprit
    assert TOKEN not in f"{answer.text} {record!r} {record.refusal} {record.refusal.facts}"
    running.records.clear()


class Mute(Exception):
    """An error that fails when it is told."""

    def __str__(self) -> str:
        raise RuntimeError("not even that")


class Stop(KeyboardInterrupt):
    """What looks like the operator's Ctrl-C, and is a plugin's."""


async def word(answer: Callable[..., object], *arguments: object) -> Any:
    """What a stand-in answers, awaited if need be."""
    found: Any = answer(*arguments)
    return await found if hasattr(found, "__await__") else found


def raises(error: BaseException) -> Callable[..., Any]:
    """A function of any arguments that raises this."""

    def function(*arguments: object, **more: object) -> Any:
        raise error

    return function
