"""The contract of observers catches each fault that it is there for, and says what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cambist import Observer, Record, Unavailable
from cambist.testing import MovableClock, ObserverContract
from cambist.testing.contracts.observer import Opened


class Sound:
    """Keeps one line for each decision, and finds it again."""

    required: Any = True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, record: Record) -> str:
        return f"{record.decision_id} {record.outcome}"

    async def observe(self, record: Record) -> None:
        self.lines.append(self.line(record))

    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        found = next((line for line in self.lines if line.startswith(decision_id)), None)
        return None if found is None else {"outcome": found}


class IsAlmostRequired(Sound):
    required = "yes"


class KeepsPermissionsOnly(Sound):
    async def observe(self, record: Record) -> None:
        if record.refusal is None:
            await super().observe(record)


class KeepsLater(Sound):
    """Keeps what it was told when it is told the next."""

    waiting: Record | None = None

    async def observe(self, record: Record) -> None:
        self.waiting, earlier = record, self.waiting
        if earlier is not None:
            await super().observe(earlier)


class KeepsTwice(Sound):
    async def observe(self, record: Record) -> None:
        await super().observe(record)
        await super().observe(record)


class LosesSome(Sound):
    async def observe(self, record: Record) -> None:
        if len(self.lines) < 20:
            await super().observe(record)


class WritesRequests(Sound):
    def line(self, record: Record) -> str:
        request = record.trace.outcome("request")
        return f"{super().line(record)} {request.subject.token if request else ''}"


class WritesSecrets(Sound):
    def line(self, record: Record) -> str:
        request = record.trace.outcome("request")
        return f"{super().line(record)} {request.client.token if request and request.client else ''}"


class WritesTokens(Sound):
    def line(self, record: Record) -> str:
        minted = record.trace.outcome("mint")
        return f"{super().line(record)} {minted.token if minted else ''}"


class WritesLines(Sound):
    async def observe(self, record: Record) -> None:
        claims = record.trace.outcome("request").subject.unverified().claims
        self.lines += f"{self.line(record)} {claims['sub']}".split("\n")


class FindsNothing(Sound):
    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        return None


class FindsTooLittle(Sound):
    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        return {"decision_id": decision_id}


class FindsEverything(Sound):
    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        return await super().find(decision_id) or {}


class TestSound(ObserverContract):
    @pytest.fixture
    def opened(self) -> Opened:
        return opening(Sound)

    @pytest.fixture
    def cut_off(self) -> list[Opened]:
        return [opening(Full)]

    def told(self, observer: Observer) -> tuple[int, str]:
        assert isinstance(observer, Sound)
        return len(observer.lines), "\n".join(observer.lines)


FAULTS: list[tuple[type[Any], str, str]] = [
    (object, "it_fills_the_seam", "it lacks `required`; it lacks `observe`"),
    (IsAlmostRequired, "it_fills_the_seam", "neither true nor false"),
    (KeepsPermissionsOnly, "it_takes_one_record_for_each_decision", "its record is not kept"),
    (KeepsLater, "it_takes_one_record_for_each_decision", "when the answer leaves, its record is not kept"),
    (KeepsTwice, "it_takes_one_record_for_each_decision", "kept twice"),
    (LosesSome, "records_of_many_at_once_are_all_there", "of thirty decisions at once it took 20"),
    (WritesRequests, "no_credential_is_in_what_it_writes", "a credential, or a part of one, is in the record"),
    (WritesSecrets, "no_credential_is_in_what_it_writes", "the secret of an application is in the record"),
    (WritesTokens, "no_credential_is_in_what_it_writes", "a credential, or a part of one, is in the record"),
    (WritesLines, "hostile_text_does_not_break_out_of_a_record", "made 7 records of 5"),
    (FindsNothing, "what_it_can_find_is_what_it_was_told", "it does not find a decision"),
    (FindsTooLittle, "what_it_can_find_is_what_it_was_told", "how the decision ended"),
    (FindsEverything, "what_it_can_find_is_what_it_was_told", "a decision that there never was"),
]
RULES = [name for name in vars(ObserverContract) if name.startswith("test_") and name != "test_what_it_cannot_keep_is_said"]


def opening(observer: Callable[[], Any]) -> Opened:
    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[Observer]:
        yield observer()

    return opened


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize(("faulty", "rule", "said"), FAULTS, ids=[faulty.__name__ for faulty, _, _ in FAULTS])
def test_the_contract_catches_a_fault_and_says_what_is_wrong(faulty: type[Any], rule: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(TestSound(), f"test_{rule}")(opening(faulty))


def test_every_rule_of_the_contract_is_shown_to_catch_something() -> None:
    assert {f"test_{rule}" for _, rule, _ in FAULTS} == set(RULES)


class Full(Sound):
    async def observe(self, record: Record) -> None:
        raise Unavailable(what="the ledger", cause="the disk is full")


class SwallowsIt(Sound):
    async def observe(self, record: Record) -> None:
        """Nobody hears that the disk is full."""


class RaisesAnything(Sound):
    async def observe(self, record: Record) -> None:
        raise OSError("the disk is full")


@pytest.mark.parametrize(("faulty", "said"), [(SwallowsIt, "`observe` answered None"), (RaisesAnything, "`observe` raised OSError")])
def test_the_contract_catches_an_observer_that_loses_records_in_silence(faulty: type[Sound], said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=rf"{said}.*raise cambist\.Unavailable"):
        TestSound().test_what_it_cannot_keep_is_said([opening(faulty)])


class Counts:
    """An observer that keeps nothing that could be found."""

    required = False

    def __init__(self) -> None:
        self.taken = 0

    async def observe(self, record: Record) -> None:
        self.taken += 1


class TestAnObserverThatFindsNothing(ObserverContract):
    """`find` is for observers that keep what they are told; a counter is an observer too."""

    @pytest.fixture
    def opened(self) -> Opened:
        return opening(Counts)

    def told(self, observer: Observer) -> tuple[int, str]:
        assert isinstance(observer, Counts)
        return observer.taken, ""
