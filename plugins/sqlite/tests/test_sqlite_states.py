"""Any sequence of calls leads either store where a few lines over a dict lead: the model says what the seam means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist import Mark, Store
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore

KEYS = st.sampled_from(["a", "b", "ab", "n/1", "n/2"])
VALUES = st.sampled_from([b"", b"1", b"2"])
TTLS = st.sampled_from([1.0, 2.0, 30.0])
MARKS = st.tuples(st.sampled_from(["credential", "nonce"]), st.sampled_from("xyz"), TTLS)

CALLS = st.one_of(
    st.tuples(st.just("claim"), st.lists(MARKS, max_size=3, unique_by=lambda mark: mark[:2])),
    st.tuples(st.just("get"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("put"), KEYS, VALUES, st.none() | TTLS),
    st.tuples(st.just("swap"), KEYS, st.none() | VALUES, VALUES, st.none() | TTLS),
    st.tuples(st.just("count"), st.sampled_from(["n/1", "n/3"]), TTLS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("scan"), st.sampled_from(["", "a", "n/", "z"])),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 40.0])),
)
"""One call, as its name and arguments."""


@dataclass
class Model:
    """What the seam means, in one process and without haste."""

    clock: MovableClock
    marks: dict[tuple[str, str], float] = field(default_factory=dict)
    entries: dict[str, tuple[bytes, float]] = field(default_factory=dict)

    def live(self) -> dict[str, bytes]:
        return {key: value for key, (value, end) in self.entries.items() if end > self.clock.now}

    def end(self, ttl: float | None) -> float:
        return float("inf") if ttl is None else self.clock.now + ttl

    def claim(self, wanted: list[tuple[str, str, float]], answer: set[tuple[str, str]]) -> None:
        """A mark is taken until its end, and may be taken longer: until it is swept."""
        named = {(kind, key) for kind, key, _ in wanted}
        assert answer <= named & self.marks.keys(), "what nobody set is taken"
        assert answer or not any(self.marks.get(name, 0) > self.clock.now for name in named), "what is set is free"
        if not answer:
            self.marks |= {(kind, key): self.end(ttl) for kind, key, ttl in wanted}

    def get(self, keys: list[str]) -> dict[str, bytes]:
        return {key: value for key, value in self.live().items() if key in keys}

    def put(self, key: str, value: bytes, ttl: float | None) -> None:
        self.entries[key] = value, self.end(ttl)

    def swap(self, key: str, expected: bytes | None, value: bytes, ttl: float | None) -> bool:
        if (same := self.live().get(key) == expected) is True:
            self.put(key, value, ttl)
        return same

    def count(self, key: str, ttl: float) -> int | None:
        before = self.live().get(key, b"0")
        if not before:
            return None
        end = self.entries[key][1] if key in self.live() else self.end(ttl)
        self.entries[key] = str(int(before) + 1).encode(), end
        return int(before) + 1

    def delete(self, key: str) -> None:
        self.entries.pop(key, None)

    def scan(self, prefix: str) -> dict[str, bytes]:
        return {key: value for key, value in self.live().items() if key.startswith(prefix)}

    def sweep(self) -> None:
        """Nobody can tell whether what has expired is still there."""

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)


@dataclass
class Asked:
    """The store under test, asked in the model's words."""

    store: Store
    clock: MovableClock

    async def claim(self, wanted: list[tuple[str, str, float]]) -> set[tuple[str, str]]:
        taken = await self.store.claim([Mark(kind=kind, key=key, expires_at=self.clock.now + ttl) for kind, key, ttl in wanted])
        return set() if taken is None else {(taken.kind, taken.key)}

    async def get(self, keys: list[str]) -> dict[str, bytes]:
        return dict(await self.store.get_many(keys))

    async def put(self, key: str, value: bytes, ttl: float | None) -> None:
        await self.store.put(key, value, ttl=ttl)

    async def swap(self, key: str, expected: bytes | None, value: bytes, ttl: float | None) -> bool:
        return await self.store.swap(key, expected, value, ttl=ttl)

    async def count(self, key: str, ttl: float) -> int:
        return await self.store.count(key, ttl=ttl)

    async def delete(self, key: str) -> None:
        await self.store.delete(key)

    async def scan(self, prefix: str) -> dict[str, bytes]:
        # The store in memory keeps its marks beside the values, under `once/`.
        return {key: value async for key, value in self.store.scan(prefix) if not key.startswith("once/")}

    async def sweep(self) -> None:
        if isinstance(self.store, SqliteStore):
            await self.store.sweep()

    async def wait(self, seconds: float) -> None:
        """The model has moved the clock that both have."""


@asynccontextmanager
async def in_memory(clock: MovableClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock, passed=clock)


@asynccontextmanager
async def in_a_file(clock: MovableClock) -> AsyncIterator[Store]:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    with TemporaryDirectory() as folder:
        async with SqliteStore(SqliteSettings(path=Path(folder) / "store.sqlite"), clock, not_now) as store:
            yield store


async def follow(opening: Callable[[MovableClock], Any], calls: list[tuple[Any, ...]]) -> None:
    clock = MovableClock()
    model = Model(clock)
    async with opening(clock) as store:
        asked = Asked(store, clock)
        for name, *arguments in calls:
            if name == "claim":
                model.claim(arguments[0], await asked.claim(arguments[0]))
                continue
            expected = getattr(model, name)(*arguments)
            if name == "count" and expected is None:
                continue  # an empty value is no counter
            call: Awaitable[Any] = getattr(asked, name)(*arguments)
            assert await call == expected, (name, arguments)


@pytest.mark.parametrize("opening", [in_memory, in_a_file], ids=["memory", "sqlite"])
@settings(max_examples=100, deadline=None)
@given(calls=st.lists(CALLS, max_size=40))
def test_any_sequence_of_calls_leads_where_the_model_leads(opening: Callable[[MovableClock], Any], calls: list[tuple[Any, ...]]) -> None:
    asyncio.run(follow(opening, calls))
