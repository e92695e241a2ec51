"""Policies that misbehave decide nothing, for their own zone alone."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import force_setattr

from cambist import Answer, Deny, Permit, PolicyInput
from cambist.compact import Compact

from .stage import GOOD, TOKEN, Mute, Stop, among_others, ask, is_refused, others_are_served, plugin, raises, word


class Deciding:
    """A policy that answers whatever it is told to."""

    name, revision = "evil", "1"

    def __init__(self, answer: Callable[[PolicyInput], object]) -> None:
        self.answer = answer

    async def decide(self, question: PolicyInput) -> Answer:
        return await word(self.answer, question)  # type: ignore[no-any-return]  # junk on purpose


class Generous(Permit, frozen=True):
    """A permit that answers anew each time it is asked."""


async def _never(question: PolicyInput) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


def _blocks(question: PolicyInput) -> Answer:
    time.sleep(0.6)
    return Permit()


def permit(**members: Any) -> Callable[[PolicyInput], Permit]:
    return lambda question: Permit(**members)


def changing(part: Callable[[PolicyInput], Any], name: str, value: object) -> Callable[[PolicyInput], Permit]:
    """It says yes, and changes what it was asked."""

    def answer(question: PolicyInput) -> Permit:
        force_setattr(part(question), name, value)
        return Permit()

    return answer


def endless() -> dict[str, Any]:
    claims: dict[str, Any] = {}
    claims["again"] = claims
    return claims


FAULT = (500, "plugin_fault")
LATE = (503, "deadline_exceeded")

REFUSED: Mapping[str, tuple[Callable[[PolicyInput], object], tuple[int, str]]] = {
    "it raises an error": (raises(RuntimeError("boom")), FAULT),
    "it raises an error that says the credential": (raises(ValueError(TOKEN)), FAULT),
    "it raises what cannot be told": (raises(Mute()), FAULT),
    "it ends the process": (raises(SystemExit(0)), FAULT),
    "it interrupts like the operator": (raises(Stop()), FAULT),
    "it cancels its caller": (raises(asyncio.CancelledError()), FAULT),
    "it answers nothing": (lambda question: None, FAULT),
    "it answers yes": (lambda question: True, FAULT),
    "it answers as rules do": (lambda question: {"allow": True}, FAULT),
    "it answers the class": (lambda question: Permit, FAULT),
    "it answers a subclass": (lambda question: Generous(), FAULT),
    "it permits every part of a text": (permit(scope="read write"), FAULT),
    "it permits a scope that can grow": (permit(scope={"read"}), FAULT),
    "it permits for no number of seconds": (permit(ttl=math.nan), FAULT),
    "it permits for less than no time": (permit(ttl=-1), FAULT),
    "it permits for half a second": (permit(ttl=0.5), FAULT),
    "it permits for yes": (permit(ttl=True), FAULT),
    "it permits several audiences by a text": (permit(multi_audience="false"), FAULT),
    "it adds claims that are none": (permit(claims=["root"]), FAULT),
    "it adds claims under numbers": (permit(claims={1: "root"}), FAULT),
    "it adds what cannot be signed": (permit(claims={"team": object()}), FAULT),
    "it adds what is no text": (permit(claims={"team": "\ud800"}), FAULT),
    "it adds what contains itself": (permit(claims=endless()), FAULT),
    "it denies for a text": (lambda question: Deny(reasons="no"), FAULT),  # type: ignore[arg-type]  # junk on purpose
    "it denies for numbers": (lambda question: Deny(said=(1, 2)), FAULT),  # type: ignore[arg-type]  # junk on purpose
    "it denies targets by a list": (lambda question: Deny(targets=["x"]), FAULT),  # type: ignore[arg-type]  # junk on purpose
    "it never answers": (_never, LATE),
    "it holds everybody up": (_blocks, LATE),
    "it asks for more scope itself": (changing(lambda asked: asked.request, "scope", ("read", "admin")), FAULT),
    "it asks for more time itself": (changing(lambda asked: asked.request, "ttl", 3600), FAULT),
    "it makes the proof last": (changing(lambda asked: asked.subject, "expires_at", math.inf), FAULT),
    "it makes the proof wider": (changing(lambda asked: asked.subject, "scope", frozenset({"read", "admin"})), FAULT),
    "it makes the subject another": (changing(lambda asked: asked.subject.identity, "subject", "root"), FAULT),
    "it makes the caller another": (changing(lambda asked: asked.client, "id", "web"), FAULT),
    "it makes the target another": (changing(lambda asked: asked.targets[0], "id", "https://bank.example.test"), FAULT),
    "it makes history": (changing(lambda asked: asked, "chain", (lambda: None,)), FAULT),
}
UNNAMED = {"it holds everybody up"}
"""Where nobody can say for sure who it was; the step of the trace that took so long is in the record."""


@pytest.mark.parametrize("sentence", REFUSED)
async def test_its_zone_is_refused_it_is_named_and_the_other_zone_is_served(sentence: str) -> None:
    answer, (status, reason) = REFUSED[sentence]
    evil = plugin(policies=lambda host: [Deciding(answer)])
    zones = {"other": {"policy": "scripted", "authenticates": [GOOD]}}
    async with among_others(evil, policy="evil", zones=zones) as running:
        refused = await ask(running, GOOD, scope="read", ttl_seconds=60)
        assert refused.status_code == status
        await is_refused(running, refused, reason, None if sentence in UNNAMED else "evil")
        await others_are_served(running, "other")
        assert [record.outcome for record in running.records] == ["permitted"]


async def test_what_it_does_to_its_claims_afterwards_changes_nothing() -> None:
    claims: dict[str, Any] = {"team": "pay"}

    def permitting(question: PolicyInput) -> Permit:
        asyncio.get_running_loop().call_soon(claims.update, {"team": "root"})
        return Permit(claims=claims)

    async with among_others(plugin(policies=lambda host: [Deciding(permitting)]), policy="evil") as running:
        sign = running.sts.keys.signing

        async def slow(zone_id: str) -> Any:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await sign(zone_id)

        running.sts.keys.signing = slow  # type: ignore[method-assign]  # the pause that any key store over the network makes
        token = (await ask(running, GOOD)).json()["access_token"]
        assert claims == {"team": "root"}, "it had no time to change its mind"
        assert Compact.parse(token).claims["team"] == "pay"
