"""The contract of stores catches each fault that it is there for, and says what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cambist import Mark, Store, Unavailable
from cambist.store import MemoryStore
from cambist.testing import MovableClock, StoreContract
from cambist.testing.contracts.store import Opened


class ForgetsMarks(MemoryStore):
    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        return None


class MarksFirst(MemoryStore):
    """Sets one after the other, and stops at the first that was used."""

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        taken = [await super(MarksFirst, self).claim([mark]) for mark in marks]
        return next((mark for mark in taken if mark is not None), None)


class MixesKinds(MemoryStore):
    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        return await super().claim([replace(mark, kind="", key=f"{mark.kind}/{mark.key}") for mark in marks])


class ForgetsEarly(MemoryStore):
    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        self._marks = {name: end for name, end in self._marks.items() if end - 10 > self._clock()}
        return await super().claim(marks)


class LooksThenSets(MemoryStore):
    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        taken = next((mark for mark in marks if self._marks.get((mark.kind, mark.key), 0) > self._clock()), None)
        await asyncio.sleep(0)
        if taken is None:
            self._marks |= {(mark.kind, mark.key): mark.expires_at for mark in marks}
        return taken


class KeepsMarksAsValues(MemoryStore):
    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        for mark in marks:
            if mark.key in self._values:
                return mark
        for mark in marks:
            self._set(mark.key, b"", mark.expires_at)
        return None


class DeletesMarksToo(MemoryStore):
    async def delete(self, key: str) -> None:
        await super().delete(key)
        self._marks = {name: ends for name, ends in self._marks.items() if name[1] != key}


class KeepsForEver(MemoryStore):
    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await super().put(key, value)


class KeepsTheOldEnd(MemoryStore):
    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        before = self._values.get(key)
        await super().put(key, value, ttl=ttl)
        if before is not None:
            self._values[key] = (value, before[1])


class FoldsCase(MemoryStore):
    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await super().put(key.casefold(), value, ttl=ttl)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        found = await super().get_many([key.casefold() for key in keys])
        return {key: found[key.casefold()] for key in keys if key.casefold() in found}


class SwapsAlways(MemoryStore):
    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        await self.put(key, value, ttl=ttl)
        return True


class SwapsWithTheDead(MemoryStore):
    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        if self._values.get(key, (None, None))[0] != expected:
            return False
        await self.put(key, value, ttl=ttl)
        return True


class SwapsInTwoSteps(MemoryStore):
    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        same = self._live(key) == expected
        await asyncio.sleep(0)
        if same:
            await self.put(key, value, ttl=ttl)
        return same


class ProlongsCounters(MemoryStore):
    async def count(self, key: str, *, ttl: float) -> int:
        total = await super().count(key, ttl=ttl)
        await self.put(key, str(total).encode(), ttl=ttl)
        return total


class CountsInTwoSteps(MemoryStore):
    async def count(self, key: str, *, ttl: float) -> int:
        total = int(self._live(key) or 0) + 1
        ends = self._values[key][1] if total > 1 else self._clock() + ttl
        await asyncio.sleep(0)
        self._set(key, str(total).encode(), ends)
        return total


class KeepsWhatIsDeleted(MemoryStore):
    async def delete(self, key: str) -> None:
        """Does nothing."""


class ScansByPattern(MemoryStore):
    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        for key, (value, _) in self._values.items():
            if key.casefold().startswith(prefix.casefold()):
                yield key, value


FAULTS: list[tuple[type[MemoryStore], str, str]] = [
    (ForgetsMarks, "a_mark_is_set_once", "a mark was set twice"),
    (MarksFirst, "marks_are_set_all_or_none", "claim all or none"),
    (ForgetsEarly, "a_mark_lasts_until_its_end_at_least", "forgotten before its end"),
    (LooksThenSets, "of_fifty_at_once_one_sets_the_mark", "look and set in one step"),
    (KeepsMarksAsValues, "values_are_not_marks", "a value was taken for a mark"),
    (DeletesMarksToo, "values_are_not_marks", "a mark went with a value of its name"),
    (KeepsForEver, "a_value_is_read_back_until_it_expires", "a value was read at its end"),
    (KeepsTheOldEnd, "a_value_is_read_back_until_it_expires", "kept its old end"),
    (FoldsCase, "keys_and_values_are_kept_as_they_are", "keys are not compared as they are"),
    (SwapsAlways, "a_swap_needs_what_is_there", "a swap against nothing replaced something"),
    (SwapsWithTheDead, "a_swap_needs_what_is_there", "a swap met a value that had expired"),
    (SwapsInTwoSteps, "of_fifty_swaps_at_once_one_succeeds", "compare and set in one step"),
    (ProlongsCounters, "a_counter_counts_and_expires_after_its_first_use", "prolonged by its use"),
    (CountsInTwoSteps, "a_counter_counts_and_expires_after_its_first_use", "add in one step"),
    (KeepsWhatIsDeleted, "a_deleted_value_is_gone_and_an_absent_one_is_deleted_in_peace", "still there"),
    (ScansByPattern, "a_scan_finds_what_lives_under_a_prefix", "a prefix is text"),
]


def opening(faulty: Callable[[MovableClock], Store]) -> Opened:
    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[Store]:
        yield faulty(clock)

    return opened


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize(("faulty", "rule", "said"), FAULTS, ids=[f"{faulty.__name__}: {said}" for faulty, _, said in FAULTS])
def test_the_contract_catches_a_fault_and_says_what_is_wrong(faulty: type[MemoryStore], rule: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(StoreContract(), f"test_{rule}")(opening(faulty))


def test_the_contract_catches_kinds_that_are_mixed() -> None:
    with pytest.raises(AssertionError, match="marks of two kinds were taken for one"):
        StoreContract().test_marks_of_two_kinds_are_two_marks(opening(MixesKinds), ("a", "b/c"), ("a/b", "c"))


def test_the_contract_catches_what_is_no_store() -> None:
    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[Any]:
        yield object()

    with pytest.raises(AssertionError, match="it lacks `claim`; it lacks `get_many`; "):
        StoreContract().test_it_fills_the_seam(opened)


class Gone:
    """Nothing of it can be reached."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock

    async def refuse(self, *arguments: Any, **named: Any) -> Any:
        raise Unavailable(what="the store", cause="nobody answers")

    claim = get_many = put = swap = count = delete = refuse

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        await self.refuse()
        yield prefix, b""


async def guess(*arguments: Any, **named: Any) -> None:
    """Answers that nothing was seen."""


async def see_nothing(prefix: str) -> AsyncIterator[tuple[str, bytes]]:
    for pair in dict[str, bytes]().items():
        yield pair


@pytest.mark.parametrize("guesses", ["claim", "get_many", "put", "swap", "count", "delete", "scan"])
def test_the_contract_catches_a_store_that_guesses(guesses: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gone, guesses, staticmethod(see_nothing if guesses == "scan" else guess))
    with pytest.raises(pytest.fail.Exception, match=f"`{guesses}` answered None: .* it must not guess"):
        StoreContract().test_what_it_cannot_reach_is_said([opening(Gone)])


def test_the_contract_accepts_a_store_that_says_that_it_is_gone() -> None:
    StoreContract().test_what_it_cannot_reach_is_said([opening(Gone)])


def test_the_contract_catches_a_store_that_raises_what_it_likes() -> None:
    class Raises(Gone):
        async def claim(self, marks: Sequence[Mark]) -> Mark | None:
            raise ConnectionError("nobody answers")

    with pytest.raises(pytest.fail.Exception, match=r"`claim` raised ConnectionError.*raise cambist\.Unavailable"):
        StoreContract().test_what_it_cannot_reach_is_said([opening(Raises)])
