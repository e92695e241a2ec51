"""Exactly one record for each decision, whatever ends it, and no token without the records that are required."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from cambist import Record
from cambist.audit import CANCELLED, DONE, PERMITTED, Ledger
from cambist.errors import Denied, Fault, Unavailable
from cambist.testing import MovableClock
from cambist.trace import Trace


class Keeping:
    """An observer that keeps what it is told, or fails."""

    def __init__(self, *, required: bool = False, fails: Exception | None = None, slow: float = 0) -> None:
        self.required, self.fails, self.slow = required, fails, slow
        self.kept: list[Record] = []

    async def observe(self, record: Record) -> None:
        await asyncio.sleep(self.slow)
        if self.fails:
            raise self.fails
        self.kept.append(record)


async def told(ledger: Ledger, ends: BaseException | None = None) -> Trace:
    async with ledger.entry() as trace:
        if ends is not None:
            raise ends
    return trace


def ledger(*observers: Keeping) -> Ledger:
    return Ledger(observers, MovableClock(5.0))


async def test_a_permit_is_one_record() -> None:
    seen = Keeping()
    trace = await told(ledger(seen))
    (record,) = seen.kept
    assert (record.outcome, record.decision_id, record.at, record.trace, record.refusal) == (PERMITTED, trace.decision_id, 5.0, trace, None)
    assert len(record.decision_id) == 22


async def test_a_refusal_is_one_record_and_carries_the_decision_id() -> None:
    seen, refusal = Keeping(), Denied(reasons=["no"])
    with pytest.raises(Denied) as raised:
        await told(ledger(seen), refusal)
    (record,) = seen.kept
    assert raised.value is record.refusal is refusal
    assert (record.outcome, refusal.decision_id) == ("policy_denied", record.decision_id)


async def test_anything_else_becomes_a_fault_with_its_cause_for_the_ledger_alone() -> None:
    seen = Keeping()
    with pytest.raises(Fault) as raised:
        await told(ledger(seen), KeyError("secret thing"))
    (record,) = seen.kept
    assert record.outcome == "internal_fault"
    assert record.refusal is raised.value
    assert raised.value.facts == {"cause": "KeyError: 'secret thing'"}
    assert "secret thing" not in raised.value.said


@pytest.mark.parametrize("ends", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit()])
async def test_who_hangs_up_leaves_a_record_too(ends: BaseException) -> None:
    seen = Keeping()
    with pytest.raises(type(ends)):
        await told(ledger(seen), ends)
    assert [record.outcome for record in seen.kept] == [CANCELLED]


async def test_a_record_that_is_being_written_is_finished_though_the_caller_is_cancelled() -> None:
    seen = Keeping(slow=0.05)
    task = asyncio.ensure_future(told(ledger(seen)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert len(seen.kept) == 1


@pytest.mark.parametrize("ends", [None, Denied(), KeyError("x")])
async def test_when_a_required_record_is_not_written_nothing_is_answered_but_that(ends: Exception | None) -> None:
    """E15."""
    with pytest.raises(Unavailable) as raised:
        await told(ledger(Keeping(required=True, fails=OSError("disk full"))), ends)
    assert raised.value.facts == {"what": "the ledger", "cause": "OSError"}
    assert raised.value.decision_id


async def test_an_observer_that_is_not_required_may_fail_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    after = Keeping(required=True)
    await told(ledger(Keeping(fails=OSError("x")), after))
    assert len(after.kept) == 1
    assert "an observer failed: Keeping" in caplog.text


class AtOnce(Keeping):
    """An observer that waits for nothing."""

    def observe(self, record: Record) -> Awaitable[None]:  # type: ignore[override]  # both are observers
        if self.fails:
            raise self.fails
        self.kept.append(record)
        return DONE


async def test_an_observer_that_waits_for_nothing_is_told_like_any_other_and_may_fail_like_any_other() -> None:
    before, after, slow = AtOnce(), AtOnce(required=True), Keeping(required=True)
    await told(ledger(before, slow, after))
    assert [len(each.kept) for each in (before, slow, after)] == [1, 1, 1]
    await told(ledger(AtOnce(fails=OSError("disk")), after))
    assert len(after.kept) == 2
    with pytest.raises(Unavailable):
        await told(ledger(before, AtOnce(required=True, fails=OSError("disk")), slow))
    assert (before.kept[-1].outcome, len(slow.kept)) == ("temporarily_unavailable", 2)


class Alike(Keeping):
    """An observer that takes every other for itself, as two values with the same settings do."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # as of any class that says itself what it is equal to


async def test_observers_that_are_equal_are_told_each() -> None:
    several = Alike(required=True), Alike(), Alike(required=True), Alike()
    await told(ledger(*several))
    assert [len(each.kept) for each in several] == [1, 1, 1, 1]
