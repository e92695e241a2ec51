"""The rules for whoever keeps marks and values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from ...store import Mark, Store
from ..clock import NOON, MovableClock

Opened = Callable[[MovableClock], AbstractAsyncContextManager[Store]]


def mark(key: str = "a", kind: str = "nonce", lasts: float = 60) -> Mark:
    return Mark(kind=kind, key=key, expires_at=NOON + lasts)


class StoreContract:
    """Subclass it, and supply `opened`: a function from a clock to a context manager that gives an empty store."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens an empty store")

    def test_a_mark_is_set_once(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            assert await store.claim([mark()]) is None, "a new mark was taken for an old one"
            assert await store.claim([mark()]) == mark(), "a mark was set twice (invariant I7)"

        _with(opened, story)

    def test_marks_are_set_all_or_none(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            await store.claim([mark("used")])
            assert await store.claim([mark("fresh"), mark("used")]) == mark("used")
            assert await store.claim([mark("fresh")]) is None, "a mark was burnt beside one that was used (decision 26)"

        _with(opened, story)

    def test_marks_of_two_kinds_are_two_marks(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            assert await store.claim([mark(kind="nonce"), mark(kind="credential")]) is None
            assert await store.claim([mark(kind="credential")]) is not None

        _with(opened, story)

    def test_a_mark_lasts_until_its_end_and_no_longer(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            await store.claim([mark(lasts=60)])
            clock.move(59.9)
            assert await store.claim([mark(lasts=120)]) is not None, "a mark was forgotten before its end"
            clock.move(0.2)
            assert await store.claim([mark(lasts=120)]) is None, "a mark outlived its end"

        _with(opened, story)

    def test_of_fifty_at_once_one_sets_the_mark(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            answers = await asyncio.gather(*(store.claim([mark("race")]) for _ in range(50)))
            assert sum(answer is None for answer in answers) == 1, "more than one set the mark (security.md R2)"

        _with(opened, story)

    def test_a_value_is_read_back_until_it_expires(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            await store.put("kept", b"1")
            await store.put("passing", b"2", ttl=10)
            assert dict(await store.get_many(["kept", "passing", "absent"])) == {"kept": b"1", "passing": b"2"}
            clock.move(10)
            assert dict(await store.get_many(["kept", "passing"])) == {"kept": b"1"}

        _with(opened, story)

    def test_a_swap_needs_what_is_there(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            assert await store.swap("key", None, b"1")
            assert not await store.swap("key", None, b"2"), "a swap against nothing replaced something"
            assert not await store.swap("key", b"0", b"2")
            assert await store.swap("key", b"1", b"2")
            assert (await store.get_many(["key"]))["key"] == b"2"

        _with(opened, story)

    def test_of_fifty_swaps_at_once_one_succeeds(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            done = await asyncio.gather(*(store.swap("key", None, str(n).encode()) for n in range(50)))
            assert sum(done) == 1

        _with(opened, story)

    def test_a_counter_counts_and_expires_after_its_first_use(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            assert [await store.count("hits", ttl=10) for _ in range(3)] == [1, 2, 3]
            clock.move(9)
            assert await store.count("hits", ttl=10) == 4
            clock.move(2)
            assert await store.count("hits", ttl=10) == 1, "a counter that is prolonged by its use is never at its end"

        _with(opened, story)

    def test_a_deleted_value_is_gone_and_an_absent_one_is_deleted_in_peace(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            await store.put("key", b"1")
            await store.delete("key")
            await store.delete("key")
            assert not await store.get_many(["key"])

        _with(opened, story)

    def test_a_scan_finds_what_lives_under_a_prefix(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            for key in ("a/1", "a/2", "b/1", "a%/1", "a_"):
                await store.put(key, key.encode())
            await store.put("a/3", b"", ttl=1)
            clock.move(2)
            assert {key: value async for key, value in store.scan("a/")} == {"a/1": b"a/1", "a/2": b"a/2"}

        _with(opened, story)


def _with(opened: Opened, story: Callable[[Store, MovableClock], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = MovableClock()
        async with opened(clock) as store:
            await story(store, clock)

    asyncio.run(run())
