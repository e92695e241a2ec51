"""The rules for whoever keeps marks and values."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager

import pytest

from ...store import Mark, Store
from ..clock import NOON, MovableClock
from .out_of_reach import says_so
from .seam import gaps

Opened = Callable[[MovableClock], AbstractAsyncContextManager[Store]]
ODD = ("a/1", "A/1", "a%/1", "a_", "a*", "a:b", "", "x" * 2000, "\x00", "\u00e9", "e\u0301", "\ud800", "'; DROP TABLE x")
"""Keys that are all different, however a database would like to see it."""

DIFFERENT = [(("nonce", "a"), ("credential", "a")), (("a", "b/c"), ("a/b", "c")), (("a", "b"), ("A", "b"))]
"""Kinds and keys of marks that only look alike."""


def mark(key: str = "a", kind: str = "nonce", lasts: float = 60) -> Mark:
    return Mark(kind=kind, key=key, expires_at=NOON + lasts)


class StoreContract:
    """Subclass it, and supply `opened`: a function from a clock to a context manager that gives an empty store."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens an empty store")

    @pytest.fixture
    def cut_off(self) -> Iterable[Opened]:
        """The same for stores that cannot reach what they keep, one for each way in which that can be."""
        return ()

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            lacking = gaps(store, Store)
            assert not lacking, f"{lacking} (docs/reference/hooks.md)"

        _with(opened, story)

    def test_a_mark_is_set_once(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            assert await store.claim([mark()]) is None, "a new mark was taken for an old one"
            assert await store.claim([mark()]) == mark(), "a mark was set twice: what is accepted once was accepted again (CWE-294)"

        _with(opened, story)

    def test_marks_are_set_all_or_none(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            assert await store.claim([]) is None, "nothing was claimed, and something was taken"
            await store.claim([mark("used")])
            assert await store.claim([mark("fresh"), mark("used")]) == mark("used"), "a mark that was used did not stop the claim (CWE-294)"
            assert await store.claim([mark("fresh")]) is None, "a mark was burnt beside one that was used: claim all or none"

        _with(opened, story)

    @pytest.mark.parametrize(("one", "other"), DIFFERENT)
    def test_marks_of_two_kinds_are_two_marks(self, opened: Opened, one: tuple[str, str], other: tuple[str, str]) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            first, second = mark(kind=one[0], key=one[1]), mark(kind=other[0], key=other[1])
            assert await store.claim([first]) is None
            assert await store.claim([second]) is None, f"marks of two kinds were taken for one: {first} and {second}"
            assert await store.claim([second]) is not None, "a mark was set twice (CWE-294)"

        _with(opened, story)

    def test_a_mark_lasts_until_its_end_at_least(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            await store.claim([mark(lasts=60)])
            await store.claim([mark(lasts=1)])
            clock.move(59.9)
            assert await store.claim([mark(lasts=120)]) is not None, "a mark was forgotten before its end (CWE-294)"

        _with(opened, story)

    def test_of_fifty_at_once_one_sets_the_mark(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            answers = await asyncio.gather(*(store.claim([mark("race")]) for _ in range(50)))
            assert sum(answer is None for answer in answers) == 1, "more than one set the mark: look and set in one step (CWE-367)"

        _with(opened, story)

    def test_values_are_not_marks(self, opened: Opened) -> None:
        """Who may forget a value could otherwise make a used credential good again."""

        async def story(store: Store, _: MovableClock) -> None:
            await store.put("a", b"1")
            assert await store.claim([mark("a")]) is None, "a value was taken for a mark"
            await store.delete("a")
            assert await store.claim([mark("a")]) is not None, "a mark went with a value of its name: keep them apart (CWE-294)"
            assert not [key async for key, _ in store.scan("")], "a mark shows among the values"

        _with(opened, story)

    def test_a_value_is_read_back_until_it_expires(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            await store.put("kept", b"1")
            await store.put("passing", b"2", ttl=10)
            assert dict(await store.get_many(["kept", "passing", "absent"])) == {"kept": b"1", "passing": b"2"}
            clock.move(10)
            assert dict(await store.get_many(["kept", "passing"])) == {"kept": b"1"}, "a value was read at its end (`ttl` is in seconds)"
            await store.put("kept", b"3", ttl=10)
            clock.move(10)
            assert not await store.get_many(["kept"]), "a value that was put again kept its old end"

        _with(opened, story)

    def test_keys_and_values_are_kept_as_they_are(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            values = {key: f"{n}\x00\n\xff".encode("latin-1") for n, key in enumerate(ODD)}
            for key, value in values.items():
                await store.put(key, value)
            found = dict(await store.get_many(ODD))
            assert found == values, "keys are not compared as they are, or values not kept as they are"

        _with(opened, story)

    def test_a_swap_needs_what_is_there(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            assert await store.swap("key", None, b"1"), "a swap against nothing failed where there was nothing"
            assert not await store.swap("key", None, b"2"), "a swap against nothing replaced something"
            assert not await store.swap("key", b"0", b"2"), "a swap replaced what it did not expect"
            assert await store.swap("key", b"1", b"2", ttl=10), "a swap failed though its value was there"
            assert (await store.get_many(["key"]))["key"] == b"2"
            clock.move(10)
            assert not await store.swap("key", b"2", b"3"), "a swap met a value that had expired"
            assert await store.swap("key", None, b"3"), "a value that had expired stood in the way of a swap"

        _with(opened, story)

    def test_of_fifty_swaps_at_once_one_succeeds(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            done = await asyncio.gather(*(store.swap("key", None, str(n).encode()) for n in range(50)))
            assert sum(done) == 1, f"of fifty swaps at once {sum(done)} succeeded: compare and set in one step (CWE-367)"

        _with(opened, story)

    def test_a_counter_counts_and_expires_after_its_first_use(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            assert [await store.count("hits", ttl=10) for _ in range(3)] == [1, 2, 3]
            clock.move(9)
            assert await store.count("hits", ttl=10) == 4, "a counter forgot before its end"
            clock.move(2)
            assert await store.count("hits", ttl=10) == 1, "a counter that is prolonged by its use is never at its end"
            together = await asyncio.gather(*(store.count("race", ttl=10) for _ in range(50)))
            assert sorted(together) == list(range(1, 51)), "fifty at once were not all counted: add in one step (CWE-367)"

        _with(opened, story)

    def test_a_deleted_value_is_gone_and_an_absent_one_is_deleted_in_peace(self, opened: Opened) -> None:
        async def story(store: Store, _: MovableClock) -> None:
            await store.put("key", b"1")
            await store.delete("key")
            await store.delete("key")
            assert not await store.get_many(["key"]), "a deleted value is still there"

        _with(opened, story)

    def test_a_scan_finds_what_lives_under_a_prefix(self, opened: Opened) -> None:
        async def story(store: Store, clock: MovableClock) -> None:
            for key in ("a/1", "a/2", "b/1", "a%/1", "a_", "A/3"):
                await store.put(key, key.encode())
            await store.put("a/3", b"", ttl=1)
            clock.move(2)
            found = {key: value async for key, value in store.scan("a/")}
            assert found == {"a/1": b"a/1", "a/2": b"a/2"}, "a prefix is text: `%`, `_` and capitals mean themselves, the dead do not show"

        _with(opened, story)

    def test_what_it_cannot_reach_is_said(self, cut_off: Iterable[Opened]) -> None:
        """A store that guesses lets a used credential through."""

        async def story(store: Store, _: MovableClock) -> None:
            await says_so("claim", store.claim([mark()]))
            await says_so("get_many", store.get_many(["a"]))
            await says_so("put", store.put("a", b""))
            await says_so("swap", store.swap("a", None, b""))
            await says_so("count", store.count("a", ttl=1))
            await says_so("delete", store.delete("a"))
            await says_so("scan", anext(aiter(store.scan("")), None))

        for opened in cut_off:
            _with(opened, story)


def _with(opened: Opened, story: Callable[[Store, MovableClock], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = MovableClock()
        async with opened(clock) as store:
            await story(store, clock)

    asyncio.run(run())
