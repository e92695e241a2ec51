"""Every promise of the store seam, kept by the store in memory and by this one alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import Mark, Store
from cambist.store import MemoryStore, Namespaced
from cambist.testing import MovableClock, StoreContract
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore

Opening = Callable[[Path, MovableClock], Any]


@asynccontextmanager
async def in_memory(folder: Path, clock: MovableClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock)


@asynccontextmanager
async def in_a_file(folder: Path, clock: MovableClock) -> AsyncIterator[Store]:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    async with SqliteStore(SqliteSettings(path=folder / "store.sqlite"), clock, not_now) as store:
        yield store


class TestSqlite(StoreContract):
    """The kit's own rules."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[MovableClock], AbstractAsyncContextManager[Store]]:
        return lambda clock: in_a_file(tmp_path, clock)

    @pytest.fixture
    def cut_off(self, tmp_path: Path) -> Iterable[Callable[[MovableClock], AbstractAsyncContextManager[Store]]]:
        @asynccontextmanager
        async def moved_away(clock: MovableClock) -> AsyncIterator[Store]:
            async with in_a_file(tmp_path, clock) as store:
                (tmp_path / "store.sqlite").rename(tmp_path / "elsewhere")
                yield store

        return (moved_away,)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(params=[in_memory, in_a_file], ids=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock) -> AsyncIterator[Store]:
    opening: Opening = request.param
    async with opening(tmp_path, clock) as opened:
        yield opened


def mark(clock: MovableClock, key: str = "a", kind: str = "credential", lives: float = 60) -> Mark:
    return Mark(kind=kind, key=key, expires_at=clock.now + lives)


async def keys(store: Store, prefix: str) -> set[str]:
    return {key async for key, _ in store.scan(prefix)}


async def test_it_is_a_store(store: Store) -> None:
    assert isinstance(store, Store)


# ── claim ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_mark_is_claimed_and_then_taken(store: Store, clock: MovableClock) -> None:
    assert await store.claim([mark(clock)]) is None
    assert await store.claim([mark(clock)]) == mark(clock)


async def test_the_mark_that_was_taken_is_the_one_that_was_sent(store: Store, clock: MovableClock) -> None:
    await store.claim([mark(clock)])
    again = Mark(kind="credential", key="a", expires_at=clock.now + 9, role="actor")
    assert await store.claim([mark(clock, "b"), again]) == again


async def test_of_several_marks_all_are_set_or_none(store: Store, clock: MovableClock) -> None:
    await store.claim([mark(clock, "b")])
    assert await store.claim([mark(clock, "a"), mark(clock, "b"), mark(clock, "c")]) == mark(clock, "b")
    assert await store.claim([mark(clock, "a"), mark(clock, "c")]) is None
    assert await store.claim([mark(clock, "c")]) == mark(clock, "c")


async def test_one_mark_twice_in_one_claim_is_no_replay(store: Store, clock: MovableClock) -> None:
    assert await store.claim([mark(clock), mark(clock)]) is None
    assert await store.claim([mark(clock)]) is not None


async def test_a_claim_of_nothing_succeeds(store: Store) -> None:
    assert await store.claim([]) is None


async def test_marks_of_two_kinds_are_two_marks(store: Store, clock: MovableClock) -> None:
    assert await store.claim([mark(clock, kind="nonce")]) is None
    assert await store.claim([mark(clock, kind="credential")]) is None


async def test_a_mark_without_end_never_ends(store: Store, clock: MovableClock) -> None:
    await store.claim([Mark(kind="credential", key="a", expires_at=float("inf"))])
    clock.move(1e9)
    assert await store.claim([mark(clock)]) is not None


@pytest.mark.parametrize("key", ["", "\0", "a\0b", "%", "_", "é", "\ud800", "'; DROP TABLE marks --", "k" * 100_000])
async def test_a_mark_and_a_value_may_have_any_name(store: Store, clock: MovableClock, key: str) -> None:
    assert await store.claim([mark(clock, f"{key}x"), mark(clock, key)]) is None
    assert await store.claim([mark(clock, key)]) == mark(clock, key)
    await store.put(key, b"value")
    await store.put(f"{key}x", b"other")
    assert await store.get_many([key]) == {key: b"value"}
    assert {f"{key}x", key} <= await keys(store, key)


async def test_of_claims_at_once_one_wins(store: Store, clock: MovableClock) -> None:
    answers = await asyncio.gather(*(store.claim([mark(clock, str(n)), mark(clock)]) for n in range(50)))
    assert answers.count(None) == 1
    freed = await asyncio.gather(*(store.claim([mark(clock, str(n))]) for n in range(50)))
    assert freed.count(None) == 49, "the losers set nothing"


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_was_put_is_there_and_nothing_else(store: Store) -> None:
    await store.put("a", b"1")
    await store.put("b", b"")
    assert await store.get_many(["a", "b", "c"]) == {"a": b"1", "b": b""}
    assert await store.get_many([]) == {}


async def test_a_value_is_bytes_of_any_kind_and_size(store: Store) -> None:
    value = bytes(range(256)) * 4_000
    await store.put("a", value)
    assert await store.get_many(["a"]) == {"a": value}


async def test_many_keys_are_read_at_once(store: Store) -> None:
    for n in range(20):
        await store.put(str(n), str(n).encode())
    assert await store.get_many([str(n) for n in range(3_000)]) == {str(n): str(n).encode() for n in range(20)}


async def test_a_value_is_replaced_together_with_its_end(store: Store, clock: MovableClock) -> None:
    await store.put("a", b"1", ttl=10)
    await store.put("a", b"2")
    clock.move(1e9)
    assert await store.get_many(["a"]) == {"a": b"2"}


async def test_an_expired_value_is_as_absent(store: Store, clock: MovableClock) -> None:
    await store.put("a", b"1", ttl=10)
    clock.move(9.999)
    assert await store.get_many(["a"]) == {"a": b"1"}
    clock.move(0.001)
    assert await store.get_many(["a"]) == {}
    assert await keys(store, "") == set()
    assert await store.swap("a", b"1", b"2") is False
    assert await store.swap("a", None, b"2") is True


@pytest.mark.parametrize("ttl", [0, -1])
async def test_a_value_that_ends_now_is_absent(store: Store, ttl: float) -> None:
    await store.put("a", b"1", ttl=ttl)
    assert await store.get_many(["a"]) == {}


async def test_a_deleted_value_is_gone_and_may_be_deleted_again(store: Store) -> None:
    await store.put("a", b"1")
    await store.delete("a")
    await store.delete("a")
    assert await store.get_many(["a"]) == {}


async def test_deleting_a_value_frees_no_mark(store: Store, clock: MovableClock) -> None:
    await store.claim([mark(clock)])
    await store.delete("a")
    assert await store.claim([mark(clock)]) is not None


# ── compare and set ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_swap_needs_what_is_there(store: Store) -> None:
    assert await store.swap("a", b"0", b"1") is False
    assert await store.get_many(["a"]) == {}
    assert await store.swap("a", None, b"1") is True
    assert await store.swap("a", None, b"2") is False
    assert await store.swap("a", b"1", b"2") is True
    assert await store.get_many(["a"]) == {"a": b"2"}


async def test_an_empty_value_is_not_an_absent_one(store: Store) -> None:
    await store.put("a", b"")
    assert await store.swap("a", None, b"1") is False
    assert await store.swap("a", b"", b"1") is True


async def test_a_swap_sets_the_end(store: Store, clock: MovableClock) -> None:
    await store.swap("a", None, b"1", ttl=10)
    await store.swap("b", None, b"1", ttl=10)
    await store.swap("b", b"1", b"2")
    clock.move(10)
    assert await store.get_many(["a", "b"]) == {"b": b"2"}


async def test_of_swaps_at_once_one_wins(store: Store) -> None:
    swaps = [store.swap("a", None, str(n).encode()) for n in range(50)]
    answers = await asyncio.gather(*swaps)
    assert answers.count(True) == 1
    assert await store.get_many(["a"]) == {"a": str(answers.index(True)).encode()}


# ── counters ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_counter_counts_from_one(store: Store) -> None:
    assert [await store.count("a", ttl=60) for _ in range(3)] == [1, 2, 3]
    assert await store.count("b", ttl=60) == 1


async def test_a_counter_ends_some_time_after_its_first_use(store: Store, clock: MovableClock) -> None:
    await store.count("a", ttl=60)
    clock.move(59)
    assert await store.count("a", ttl=60) == 2
    clock.move(1)
    assert await store.count("a", ttl=60) == 1


async def test_counting_at_once_misses_none(store: Store) -> None:
    assert sorted(await asyncio.gather(*(store.count("a", ttl=60) for _ in range(50)))) == list(range(1, 51))


async def test_a_deleted_counter_begins_anew(store: Store) -> None:
    await store.count("a", ttl=60)
    await store.delete("a")
    assert await store.count("a", ttl=60) == 1


# ── scan ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_scan_finds_every_live_key_under_a_prefix(store: Store, clock: MovableClock) -> None:
    for key in ("session/1", "session/é\U0010ffff", "session", "sessions/1", "t"):
        await store.put(key, key.encode())
    await store.put("session/old", b"", ttl=1)
    clock.move(1)
    assert {pair async for pair in store.scan("session/")} == {
        ("session/1", b"session/1"),
        ("session/é\U0010ffff", "session/é\U0010ffff".encode()),
    }
    assert await keys(store, "session") == {"session", "session/1", "session/é\U0010ffff", "sessions/1"}
    assert await keys(store, "none") == set()


async def test_a_scan_finds_more_than_one_page(store: Store) -> None:
    for n in range(250):
        await store.count(f"n/{n}", ttl=60)
    found = [key async for key, _ in store.scan("n/")]
    assert sorted(found) == sorted(f"n/{n}" for n in range(250))


async def test_a_prefix_is_text_and_no_pattern(store: Store) -> None:
    await store.put("axb", b"")
    await store.put("a%b", b"")
    assert await keys(store, "a%") == {"a%b"}


async def test_what_is_scanned_may_be_deleted_meanwhile(store: Store) -> None:
    for n in range(150):
        await store.count(f"n/{n}", ttl=60)
    async for key, _ in store.scan("n/"):
        await store.delete(key)
    assert await keys(store, "n/") == set()


# ── namespaces ──────────────────────────────────────────────────────────────────────────────────────────


async def test_namespaces_share_nothing(store: Store, clock: MovableClock) -> None:
    one, other = Namespaced(store, "zone/one"), Namespaced(store, "zone/other")
    assert await one.claim([mark(clock)]) is None
    assert await other.claim([mark(clock)]) is None
    assert await one.claim([mark(clock)]) == mark(clock)
    await one.put("k", b"1")
    await one.count("n", ttl=60)
    assert await other.get_many(["k", "n"]) == {}
    assert await other.count("n", ttl=60) == 1
    assert await other.swap("k", None, b"2") is True
    await other.delete("k")
    assert await one.get_many(["k"]) == {"k": b"1"}
    assert await keys(one, "") == {"k", "n"}
    assert await keys(other, "") == {"n"}


async def test_a_namespace_whose_name_another_begins_with_shares_nothing_either(store: Store) -> None:
    one, longer = Namespaced(store, "zone/a"), Namespaced(store, "zone/ab")
    await longer.put("k", b"1")
    assert await keys(one, "") == set()
