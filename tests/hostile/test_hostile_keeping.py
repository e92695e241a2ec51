"""Stores, key stores and observers that misbehave: nothing is issued on their word, and who does not need them is served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import force_setattr

from cambist import Mark, Record, SigningKey
from cambist.keys import EphemeralKey, EphemeralKeys
from cambist.store import MemoryStore
from cambist.testing import MovableClock

from .stage import API, GOOD, TOKEN, Mute, Stop, among_others, ask, is_refused, others_are_served, plugin, raises, word

FAULT, LATE, UNWRITTEN = (500, "plugin_fault"), (503, "deadline_exceeded"), (503, "temporarily_unavailable")
ACTION = {"htm": "GET", "htu": f"{API}/orders", "nonce": "n-1"}


async def _never(*_: object) -> Any:
    await asyncio.Event().wait()


def returns(value: object) -> Callable[..., object]:
    return lambda *_: value


FAILS: Mapping[str, tuple[Callable[..., object], tuple[int, str]]] = {
    "it raises an error": (raises(OSError("disk")), FAULT),
    "it raises an error that says the credential": (raises(ValueError(TOKEN)), FAULT),
    "it raises what cannot be told": (raises(Mute()), FAULT),
    "it ends the process": (raises(SystemExit(0)), FAULT),
    "it interrupts like the operator": (raises(Stop()), FAULT),
    "it cancels its caller": (raises(asyncio.CancelledError()), FAULT),
    "it never answers": (_never, LATE),
}


# ── stores ──────────────────────────────────────────────────────────────────────────────────────────────


class Lying(MemoryStore):
    """A store whose claims are answered otherwise."""

    def __init__(self, answer: Callable[..., object]) -> None:
        super().__init__(MovableClock())
        self.answer = answer

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        return await word(self.answer, marks)  # type: ignore[no-any-return]  # junk on purpose


STORES: Mapping[str, tuple[Callable[..., object], tuple[int, str]]] = {
    **FAILS,
    "it answers that all is well": (returns(True), FAULT),
    "it answers that nothing was seen, by a no": (returns(False), FAULT),
    "it answers with a text": (returns("fresh"), FAULT),
    "it answers with an empty list": (returns([]), FAULT),
    "it answers with the class": (returns(Mark), FAULT),
    "it names a mark that nobody set": (returns(Mark(kind="credential", key="another", expires_at=0)), (400, "replayed")),
}


@pytest.mark.parametrize("sentence", STORES)
async def test_a_store_that_lies_lets_nothing_happen_and_who_needs_no_mark_is_served(sentence: str) -> None:
    answer, (status, reason) = STORES[sentence]
    async with among_others(plugin(stores=lambda host: [Lying(answer)])) as running:
        refused = await ask(running, GOOD, execution_scope=ACTION)
        assert refused.status_code == status
        await is_refused(running, refused, reason, None if reason == "replayed" else "evil")
        await others_are_served(running, "default", "other")


async def test_a_store_that_forgets_is_beyond_us() -> None:
    """It says that nothing was seen, each time. Nobody above it can know: that is why the contract of stores is tested."""
    async with among_others(plugin(stores=lambda host: [Lying(returns(None))])) as running:
        assert [(await ask(running, GOOD, execution_scope=ACTION)).status_code for _ in range(2)] == [200, 200]


# ── key stores ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Pen:
    """A key that signs as it is told to."""

    inner: EphemeralKey
    answer: Callable[..., object]
    alg: Any = "ES256"

    @property
    def kid(self) -> str:
        return self.inner.kid

    async def sign(self, message: bytes) -> bytes:
        return await word(self.answer, message)  # type: ignore[no-any-return]  # junk on purpose


class Faithless(EphemeralKeys):
    """A key store that is good to the zone `default`, and to the other one as it is told to be."""

    def __init__(self, answer: Callable[..., object]) -> None:
        super().__init__(MovableClock())
        self.answer = answer

    async def signing(self, zone_id: str) -> SigningKey:
        key = await super().signing(zone_id)
        return key if zone_id == "default" else await word(self.answer, key)


def pen(answer: Callable[..., object], **more: Any) -> Callable[..., object]:
    return lambda key: Pen(key, answer, **more)


KEYS: Mapping[str, tuple[Callable[..., object], tuple[int, str]]] = {
    **FAILS,
    "it has no key": (returns(None), FAULT),
    "it has a text for a key": (returns("key"), FAULT),
    "it has the class of a key": (returns(EphemeralKey), FAULT),
    "its key is of no algorithm": (pen(returns(b"x"), alg=None), FAULT),
    "its key is of the algorithm none": (pen(returns(b"x"), alg="none"), FAULT),
    "its key signs with a secret": (pen(returns(b"x" * 32), alg="HS256"), FAULT),
    "its key raises": (pen(raises(OSError("hsm"))), FAULT),
    "its key ends the process": (pen(raises(SystemExit(0))), FAULT),
    "its key never answers": (pen(_never), LATE),
    "its key signs with nothing": (pen(returns(b"")), FAULT),
    "its key signs with a text": (pen(returns("c2lnbmF0dXJl")), FAULT),
    "its key signs with zeros": (pen(returns(b"\0" * 64)), FAULT),
    "its key signs with garbage": (pen(returns(bytes(range(64)))), FAULT),
    "its key signs as nobody that it publishes": (returns(EphemeralKey.make()), FAULT),
    "its key signs by another one": (pen(EphemeralKey.make().sign), FAULT),
}


@pytest.mark.parametrize("sentence", KEYS)
async def test_a_key_store_that_fails_a_zone_issues_nothing_there_and_the_other_zone_is_served(sentence: str) -> None:
    answer, (status, reason) = KEYS[sentence]
    async with among_others(plugin(keystores=lambda host: [Faithless(answer)])) as running:
        refused = await ask(running, GOOD, "other")
        assert refused.status_code == status
        await is_refused(running, refused, reason)
        await others_are_served(running, "default")


async def test_a_private_key_is_never_published() -> None:
    class Careless(EphemeralKeys):
        async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
            return tuple({**key, "d": "c2VjcmV0"} for key in await super().published(zone_id))

    async with among_others(plugin(keystores=lambda host: [Careless(MovableClock())])) as running:
        published = await running.http.get("/.well-known/jwks.json")
        assert (published.status_code, published.json()["reason"]) == (500, "plugin_fault")
        assert "c2VjcmV0" not in published.text


@pytest.mark.parametrize("answer", [raises(SystemExit(0)), raises(Mute()), returns(None), returns((1, 2))])
async def test_keys_that_cannot_be_published_are_an_error_and_the_service_lives(answer: Callable[..., object]) -> None:
    class Silent(EphemeralKeys):
        async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
            return await word(answer)  # type: ignore[no-any-return]  # junk on purpose

    async with among_others(plugin(keystores=lambda host: [Silent(MovableClock())])) as running:
        assert (await running.http.get("/.well-known/jwks.json")).json()["reason"] == "plugin_fault"
        assert (await running.http.get("/health")).status_code == 200


# ── observers ───────────────────────────────────────────────────────────────────────────────────────────


class Watching:
    """An observer that does with a record what it is told to."""

    def __init__(self, answer: Callable[..., object], *, required: bool) -> None:
        self.answer, self.needed = answer, returns(required)

    @property
    def required(self) -> bool:
        return self.needed()  # type: ignore[return-value]  # junk on purpose

    async def observe(self, record: Record) -> None:
        await word(self.answer, record)


OBSERVERS = {**{sentence: answer for sentence, (answer, _) in FAILS.items()}, "it answers something": returns("thanks")}
HARMLESS = {"it answers something"}


def watching(answer: Callable[..., object], required: bool) -> ModuleType:
    return plugin(observers=lambda host: [Watching(answer, required=required)])


@pytest.mark.parametrize("sentence", OBSERVERS)
async def test_an_observer_that_is_not_needed_may_fail_and_everybody_is_served(
    sentence: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambist.kept.PATIENCE", 0.2)
    async with among_others(watching(OBSERVERS[sentence], required=False)) as running:
        await others_are_served(running, "default", "other")
        assert [record.outcome for record in running.records] == ["permitted"] * 2
    assert ("an observer failed: plugin evil" in caplog.text) == (sentence not in HARMLESS)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("sentence", sorted(set(OBSERVERS) - HARMLESS))
async def test_without_the_word_of_an_observer_that_is_needed_nothing_is_issued(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """E15; and the others are told how it ended, not how it would have."""
    monkeypatch.setattr("cambist.kept.PATIENCE", 0.2)
    watcher = Watching(OBSERVERS[sentence], required=True)
    async with among_others(plugin(observers=lambda host: [watcher])) as running:
        refused = await ask(running, GOOD)
        assert refused.status_code == UNWRITTEN[0]
        await is_refused(running, refused, UNWRITTEN[1])
        watcher.answer = returns(None)
        await others_are_served(running, "default", "other")


@pytest.mark.parametrize("unsaid", [raises(SystemExit(0)), raises(OSError("who knows"))], ids=["it ends the process", "it raises"])
async def test_an_observer_that_cannot_say_whether_it_is_needed_is(unsaid: Callable[..., object]) -> None:
    watcher = Watching(raises(OSError("disk")), required=True)
    async with among_others(plugin(observers=lambda host: [watcher])) as running:
        watcher.needed = unsaid
        await is_refused(running, await ask(running, GOOD), UNWRITTEN[1])


async def test_what_an_observer_does_to_its_record_changes_none_of_the_others() -> None:
    def forging(record: Record) -> None:
        for name, value in {"outcome": "policy_denied", "decision_id": "another", "at": 0.0}.items():
            force_setattr(record, name, value)

    async with among_others(watching(forging, required=True)) as running:
        await others_are_served(running, "default")
        (record,) = running.records
        assert (record.outcome, record.at > 0) == ("permitted", True)
        assert record.decision_id == record.trace.decision_id


async def test_a_hundred_callers_do_not_wait_for_an_observer_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.kept.PATIENCE", 0.2)
    async with among_others(watching(_never, required=False)) as running:
        await others_are_served(running, "default")
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(ask(running, GOOD) for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert loop.time() - began < 5
        assert len(running.records) == 101
