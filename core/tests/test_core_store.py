"""What happens once happens once, and a corner of a store is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cambist import Mark, Store, Unavailable
from cambist.store import MemoryStore, Namespaced
from cambist.testing import MovableClock


def mark(key: str, *, kind: str = "credential", ends: float = 100.0, role: str | None = None, clock: MovableClock) -> Mark:
    return Mark(kind=kind, key=key, expires_at=clock() + ends, role=role)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> MemoryStore:
    return MemoryStore(clock)


# ── the store in memory ─────────────────────────────────────────────────────────────────────────────────


async def test_a_mark_is_set_once_until_it_expires(clock: MovableClock) -> None:
    store = MemoryStore(clock, passed=clock)
    first = mark("a", clock=clock)
    assert await store.claim([first]) is None
    assert await store.claim([replace(first, role="subject")]) == replace(first, role="subject")
    clock.move(99.9)
    assert await store.claim([first]) is not None
    clock.move(0.1)
    await store.put("something", b"")  # which sweeps
    assert await store.claim([mark("a", clock=clock)]) is None


async def test_all_marks_are_set_or_none(store: MemoryStore, clock: MovableClock) -> None:
    assertion, nonce = mark("assertion", clock=clock), mark("nonce", kind="nonce", clock=clock)
    assert await store.claim([nonce]) is None
    assert await store.claim([assertion, nonce]) == nonce
    assert await store.claim([assertion]) is None  # the replayed nonce beside it did not burn it


async def test_kinds_do_not_meet_and_no_marks_are_free(store: MemoryStore, clock: MovableClock) -> None:
    assert await store.claim([mark("a", clock=clock), mark("a", kind="nonce", clock=clock)]) is None
    assert await store.claim([]) is None


async def test_of_fifty_at_once_one_sets_the_mark(store: MemoryStore, clock: MovableClock) -> None:
    told = await asyncio.gather(*(store.claim([mark("a", clock=clock)]) for _ in range(50)))
    assert told.count(None) == 1


async def test_marks_and_values_do_not_meet(store: MemoryStore, clock: MovableClock) -> None:
    await store.put("a", b"value")
    assert await store.claim([mark("a", clock=clock)]) is None
    assert await store.get_many(["a"]) == {"a": b"value"}


async def test_values_are_kept_until_they_expire_or_are_deleted(store: MemoryStore, clock: MovableClock) -> None:
    await store.put("a", b"", ttl=10)
    await store.put("b", b"2")
    assert await store.get_many(["a", "b", "c"]) == {"a": b"", "b": b"2"}
    clock.move(10)
    assert await store.get_many(["a", "b"]) == {"b": b"2"}
    await store.delete("b")
    await store.delete("never there")
    assert await store.get_many(["a", "b"]) == {}


async def test_a_value_is_swapped_only_for_the_one_that_was_expected(store: MemoryStore, clock: MovableClock) -> None:
    assert not await store.swap("a", b"1", b"2")
    assert await store.swap("a", None, b"1", ttl=10)
    assert not await store.swap("a", None, b"2")
    assert not await store.swap("a", b"2", b"3")
    assert await store.swap("a", b"1", b"2", ttl=10)
    clock.move(10)
    assert not await store.swap("a", b"2", b"3")
    assert await store.swap("a", None, b"4")


async def test_a_counter_starts_anew_after_its_time_and_not_with_each_use(store: MemoryStore, clock: MovableClock) -> None:
    assert [await store.count("a", ttl=10) for _ in range(3)] == [1, 2, 3]
    clock.move(9)
    assert await store.count("a", ttl=10) == 4
    clock.move(1)
    assert await store.count("a", ttl=10) == 1


async def test_a_scan_finds_what_lives_under_a_prefix(store: MemoryStore, clock: MovableClock) -> None:
    await store.put("key/a", b"1")
    await store.put("key/b", b"2", ttl=10)
    await store.put("other", b"3")
    clock.move(10)
    assert [found async for found in store.scan("key/")] == [("key/a", b"1")]


@pytest.mark.parametrize("leap", [86_400, -86_400])
async def test_what_was_spent_or_put_is_still_there_when_a_clock_that_leapt_is_back(clock: MovableClock, leap: float) -> None:
    passed = MovableClock(0)
    store = MemoryStore(clock, passed)
    assert await store.claim([mark("spent", ends=600, clock=clock)]) is None
    await store.put("revoked", b"1", ttl=600)
    clock.move(leap)
    passed.move(61)
    assert ("revoked" in await store.get_many(["revoked"])) == (leap < 0)
    assert bool([key async for key, _ in store.scan("")]) == (leap < 0)
    assert await store.claim([mark("another", clock=clock)]) is None  # which sweeps
    clock.move(-leap)
    assert await store.claim([mark("spent", ends=600, clock=clock)]) is not None
    assert await store.get_many(["revoked"]) == {"revoked": b"1"}


async def test_a_mark_that_is_still_there_is_taken_whatever_the_clock_says(store: MemoryStore, clock: MovableClock) -> None:
    """The clock may leap between the look at a credential and its claim."""
    sent = mark("a", ends=600, clock=clock)
    assert await store.claim([sent]) is None
    clock.move(86_400)
    assert await store.claim([sent]) == sent


async def test_what_has_expired_leaves_the_memory(clock: MovableClock) -> None:
    store = MemoryStore(clock, passed=clock)
    for second in range(600):
        await store.claim([mark(f"{second}-{n}", ends=30, clock=clock) for n in range(10)])
        clock.move(1)
    assert len(store._values) <= 10 * (30 + 60 + 1)


# ── a corner of a store ─────────────────────────────────────────────────────────────────────────────────


async def test_two_corners_do_not_see_each_other(store: MemoryStore, clock: MovableClock) -> None:
    one, other = Namespaced(store, "plugin/one"), Namespaced(store, "plugin/other")
    assert isinstance(one, Store)
    await one.put("a", b"1", ttl=50)
    assert await one.swap("b", None, b"2")
    assert [await one.count("c", ttl=10), await one.count("c", ttl=10)] == [1, 2]
    assert await one.claim([mark("a", clock=clock)]) is None
    assert await one.get_many(["a", "b", "d"]) == {"a": b"1", "b": b"2"}
    assert sorted([key async for key, _ in one.scan("")]) == ["a", "b", "c"]
    assert await other.get_many(["a", "b", "c"]) == {}
    assert await other.swap("b", None, b"9")
    assert await other.count("c", ttl=10) == 1
    assert await other.claim([mark("a", clock=clock)]) is None
    await other.delete("a")
    assert await one.get_many(["a"]) == {"a": b"1"}
    await one.delete("a")
    assert await one.get_many(["a"]) == {}
    clock.move(10)
    assert [key async for key, _ in other.scan("")] == ["b"]


async def test_a_corner_within_a_corner_is_its_own(store: MemoryStore, clock: MovableClock) -> None:
    zone = Namespaced(store, "zone/a")
    plugin = Namespaced(zone, "plugin/x")
    await plugin.put("k", b"1")
    assert await store.get_many(["zone/a/plugin/x/k"]) == {"zone/a/plugin/x/k": b"1"}
    first = mark("k", clock=clock)
    assert await plugin.claim([first]) is None
    assert await plugin.claim([first]) == first
    assert await zone.claim([first]) is None


async def test_a_taken_mark_comes_back_by_the_name_it_was_sent_under(store: MemoryStore, clock: MovableClock) -> None:
    corner = Namespaced(store, "zone/a")
    one, two = mark("one", clock=clock), mark("two", role="client", clock=clock)
    assert await corner.claim([two]) is None
    assert await corner.claim([one, two]) == two


class Forgetful(MemoryStore):
    """Answers a taken mark as a database would that keeps no more than its name, or another's altogether."""

    answer: Any = None

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        return replace(marks[0], **self.answer) if marks else None


@pytest.mark.parametrize("answer", [{"role": None}, {"expires_at": 0.0}, {"key": "somebody else's"}, {"kind": "another"}])
async def test_a_mark_that_the_store_says_was_set_is_never_taken_for_free(clock: MovableClock, answer: Mapping[str, Any]) -> None:
    forgetful = Forgetful(clock)
    forgetful.answer = answer
    sent = mark("a", role="client", clock=clock)
    taken = await Namespaced(forgetful, "zone/a").claim([sent])
    assert taken is not None
    assert (taken == sent) == (answer.keys() <= {"role", "expires_at"})


class Down(MemoryStore):
    """A store that is down."""

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        raise Unavailable(what="the store", cause="down")


async def test_a_store_that_is_down_is_down_in_every_corner(clock: MovableClock) -> None:
    with pytest.raises(Unavailable):
        await Namespaced(Down(clock), "zone/a").claim([mark("a", clock=clock)])
