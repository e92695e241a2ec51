"""Validators that misbehave refuse nobody but their own callers, and the record has their name."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec.structs import force_setattr

from cambist import Credential, Identity, Proven, Rejected
from cambist.identity import MayAct
from cambist.testing import ISSUER, Forge, MovableClock
from cambist.testing.clock import NOON

from .stage import EVIL, GOOD, TOKEN, Judge, Mute, Stop, among_others, ask, is_refused, others_are_served, plugin, proof, raises

TABLE = {"authenticates": [GOOD, EVIL]}
FORGE = Forge("https://evil.example.test", ISSUER, MovableClock())
FAULT = (500, "plugin_fault")
LATE = (503, "deadline_exceeded")
BAD = 400


class Bare(Rejected):
    """A refusal that never called its parent."""

    def __init__(self, why: str) -> None:
        self.why = why


class More(Proven, frozen=True):
    """A proof that answers otherwise each time it is asked."""


class Fickle(str):
    """A text that is not what it says."""

    __slots__ = ()

    def __str__(self) -> str:
        return "root"


class Never(float):
    """A moment that is after every other."""

    def __le__(self, other: object) -> bool:
        return False


def half_made() -> Proven:
    made = object.__new__(Proven)
    force_setattr(made, "identity", Identity(issuer="https://evil.example.test", subject="ann"))
    return made


def about(**names: Any) -> Callable[[Credential], Proven]:
    return lambda credential: proof(identity=Identity(**{"issuer": "https://evil.example.test", "subject": "ann"} | names))


def with_(**bounds: Any) -> Callable[[Credential], Proven]:
    return lambda credential: proof(**bounds)


async def _never(credential: Credential) -> Proven:
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


async def _deaf(credential: Credential) -> Proven:
    """It is told that it is too late, and answers all the same."""
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return proof()
    raise AssertionError("it was not cancelled")


async def _sulking(credential: Credential) -> Proven:
    try:
        return await _never(credential)
    except asyncio.CancelledError:
        raise ValueError("how dare you") from None


def _blocks(credential: Credential) -> Proven:
    time.sleep(0.6)
    return proof()


REFUSED: Mapping[str, tuple[Any, tuple[int, str]]] = {
    # what it raises
    "it raises an error": (raises(RuntimeError("boom")), FAULT),
    "it raises an error that says the credential": (lambda credential: raises(ValueError(credential.token))(), FAULT),
    "it raises a group of them": (lambda credential: raises(ExceptionGroup("both", [ValueError(credential.token)]))(), FAULT),
    "it raises what cannot be told": (raises(Mute()), FAULT),
    "it raises what no except catches": (raises(BaseException("boom")), FAULT),
    "it ends the process": (raises(SystemExit(0)), FAULT),
    "it interrupts like the operator": (raises(Stop()), FAULT),
    "it cancels its caller": (raises(asyncio.CancelledError()), FAULT),
    "it runs out of memory": (raises(MemoryError()), FAULT),
    "it recurses for ever": (raises(RecursionError()), FAULT),
    "it raises a time-out of its own": (raises(TimeoutError()), FAULT),
    "it raises a refusal that was never made": (raises(Bare("because")), FAULT),
    # what it returns
    "it returns nothing": (lambda credential: None, FAULT),
    "it returns yes": (lambda credential: True, FAULT),
    "it returns a dictionary": (lambda credential: {"sub": "root"}, FAULT),
    "it returns an identity without its proof": (lambda credential: Identity(issuer="i", subject="root"), FAULT),
    "it returns the class": (lambda credential: Proven, FAULT),
    "it returns a subclass": (lambda credential: More(identity=proof().identity, expires_at=NOON + 600), FAULT),
    "it returns a proof that is half made": (lambda credential: half_made(), FAULT),
    # whom it proves
    "it proves somebody of this service": (about(issuer=ISSUER, subject="web"), FAULT),
    "it proves nobody": (about(subject=""), FAULT),
    "it proves somebody of nowhere": (about(issuer=""), FAULT),
    "it proves bytes": (about(subject=b"root"), FAULT),
    "it proves a text that changes": (about(subject=Fickle("ann")), FAULT),
    "it proves a name with an end in it": (about(subject="root\0ann"), (BAD, "credential_malformed")),
    "it proves a name on two lines": (about(subject="ann\nroot"), (BAD, "credential_malformed")),
    "it proves half a character": (about(subject="\ud800"), (BAD, "credential_malformed")),
    "it proves a megabyte": (about(subject="a" * 1_000_000), (BAD, "identifier_too_long")),
    "it proves with attributes that are none": (about(attributes=7), FAULT),
    # how far its proof carries
    "its proof ends at no number": (with_(expires_at=math.nan), FAULT),
    "its proof ended before time began": (with_(expires_at=-math.inf), FAULT),
    "its proof ends when a text says": (with_(expires_at="tomorrow"), FAULT),
    "its proof ends yes": (with_(expires_at=True), FAULT),
    "its proof never ends, whatever it is compared with": (with_(expires_at=Never(NOON + 60)), FAULT),
    "its proof has ended": (with_(expires_at=NOON), (BAD, "credential_expired")),
    "its proof is for somebody else": (with_(audience=frozenset({"https://x"})), (BAD, "audience_mismatch")),
    "its proof is for every part of a text": (with_(audience=ISSUER), FAULT),
    "its proof has a scope by text": (with_(scope="read write"), FAULT),
    "its proof has a scope that can grow": (with_(scope={"read"}), FAULT),
    "its proof is used once, and has no name": (with_(single_use_until=NOON + 60), FAULT),
    "its proof is used once, and forgotten at once": (with_(single_use_until=NOON, token_id="t"), FAULT),
    "its proof is used once, and never forgotten": (with_(single_use_until=math.inf, token_id="t"), FAULT),
    "its proof is bound to a key that nobody holds": (with_(confirmation="thumbprint"), (BAD, "possession_missing")),
    "its proof is bound to nothing sensible": (with_(confirmation=7), FAULT),
    "its proof has a chain that can be changed": (with_(chain=[proof().identity]), FAULT),
    "its proof has a chain of texts": (with_(chain=("root",)), FAULT),
    "its proof names an actor by number": (with_(may_act=MayAct(issuer="i", subject=7)), FAULT),  # type: ignore[arg-type]  # junk on purpose
    "its proof belongs to a transaction that is none": (with_(transaction=7), FAULT),
    # how long it takes
    "it never answers": (_never, LATE),
    "it answers though it was told that it is too late": (_deaf, LATE),
    "it sulks when it is told that it is too late": (_sulking, FAULT),
    "it holds everybody up": (_blocks, LATE),
    # how it is found
    "it raises when it looks at a credential": (Judge(recognized=raises(ValueError(TOKEN))), FAULT),
    "it ends the process when it looks at a credential": (Judge(recognized=raises(SystemExit())), FAULT),
    "it recognizes what it does not take": (Judge(recognized=lambda: None), (BAD, "credential_unclaimed")),
}
UNNAMED = {"it answers though it was told that it is too late", "it holds everybody up", "it recognizes what it does not take"}
"""Where nobody can say for sure who it was: the plugin gave no sign. The step of the trace that took so long is in the record."""


@pytest.mark.parametrize("sentence", REFUSED)
async def test_who_comes_to_it_is_refused_it_is_named_and_everybody_else_is_served(sentence: str) -> None:
    answer, (status, reason) = REFUSED[sentence]
    judge = answer if isinstance(answer, Judge) else Judge(answer)
    async with among_others(plugin(validators=lambda host: [judge]), **TABLE) as running:
        refused = await ask(running, EVIL)
        assert refused.status_code == status
        await is_refused(running, refused, reason, None if sentence in UNNAMED else "evil")
        await others_are_served(running, "default", "other")
        assert [record.outcome for record in running.records] == ["permitted"] * 2


async def test_while_it_never_answers_everybody_else_is_served_at_once() -> None:
    async with among_others(plugin(validators=lambda host: [Judge(_never)]), **{**TABLE, "deadline": 5}) as running:
        waiting = [asyncio.ensure_future(ask(running, EVIL)) for _ in range(20)]
        await asyncio.sleep(0)
        began = time.monotonic()
        await others_are_served(running, "default", "other")
        assert time.monotonic() - began < 2
        assert [record.outcome for record in running.records] == ["permitted"] * 2
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_held_everybody_up_is_seen_in_the_record() -> None:
    async with among_others(plugin(validators=lambda host: [Judge(_blocks)]), **TABLE) as running:
        await ask(running, EVIL)
        (record,) = running.records
        longest = max(record.trace.steps, key=lambda step: step.microseconds)
        assert (longest.name, longest.microseconds > 500_000) == ("subject", True)
