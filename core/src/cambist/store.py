"""The store seam: what happens once, and what is remembered for a while."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from .clock import Clock, Steady


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that may happen once. It is remembered until `expires_at` at least, in seconds since 1970.

    Longer does no harm: what it stands for is refused by then. Shorter would, and a clock may leap and come back.
    """

    kind: str
    key: str
    expires_at: float
    role: str | None = None


@runtime_checkable
class Store(Protocol):
    """Keeps values by key. Every method raises Unavailable when it cannot be sure; it never answers "not seen" instead.

    `ttl` is in seconds, None keeps the value until it is deleted.
    """

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        """Set all marks or none, atomically over everything that shares the store; returns one that was set before, if any.

        When it returns None the marks survive a killed process.
        """

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The values of those keys that are there and have not expired."""

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Keep a value; when it returns, the value survives a power cut as well as the store can."""

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        """Compare and set, atomically: put `value` if the key holds `expected` (None: nothing); says whether it did."""

    async def count(self, key: str, *, ttl: float) -> int:
        """Add one to a counter that expires `ttl` seconds after its first use; returns the sum."""

    async def delete(self, key: str) -> None:
        """Forget a value, if it is there."""

    def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        """Every live key under a prefix, in no order: for administrators, not for requests."""


@dataclass(frozen=True, slots=True)
class Namespaced:
    """A store as one plugin, or one zone, sees it: nobody else's keys can be named."""

    store: Store
    namespace: str

    def _key(self, key: str) -> str:
        return f"{self.namespace}/{key}"

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        named = [replace(mark, key=self._key(mark.key)) for mark in marks]
        taken = await self.store.claim(named)
        # A store may have kept no more of a mark than its name. One that is none of ours was still not free: never "not seen".
        return taken and next((mark for mark in marks if (mark.kind, self._key(mark.key)) == (taken.kind, taken.key)), taken)

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        found = await self.store.get_many([self._key(key) for key in keys])
        return {key: found[self._key(key)] for key in keys if self._key(key) in found}

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        await self.store.put(self._key(key), value, ttl=ttl)

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        return await self.store.swap(self._key(key), expected, value, ttl=ttl)

    async def count(self, key: str, *, ttl: float) -> int:
        return await self.store.count(self._key(key), ttl=ttl)

    async def delete(self, key: str) -> None:
        await self.store.delete(self._key(key))

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        async for key, value in self.store.scan(self._key(prefix)):
            yield key.removeprefix(f"{self.namespace}/"), value


class MemoryStore:
    """The default: one process, nothing survives it. What has expired is forgotten by a clock that does not leap."""

    def __init__(self, clock: Clock, passed: Clock = time.monotonic) -> None:
        self._clock, self._forgetting = clock, Steady(clock, passed)
        self._values: dict[str, tuple[bytes, float | None]] = {}
        self._marks: dict[tuple[str, str], float] = {}
        self._swept = self._forgetting()

    def _live(self, key: str) -> bytes | None:
        value, expires = self._values.get(key, (None, None))
        return None if expires is not None and expires <= self._clock() else value

    def _set(self, key: str, value: bytes, expires: float | None) -> None:
        self._values[key] = (value, expires)
        self._sweep()

    def _sweep(self) -> None:
        """Once in a minute, because a stranger must not be able to fill the memory with marks."""
        now = self._forgetting()
        if not 0 <= now - self._swept < 60:
            self._swept = now
            self._values = {key: (value, end) for key, (value, end) in self._values.items() if end is None or end > now}
            self._marks = {name: end for name, end in self._marks.items() if end > now}

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        named = {(mark.kind, mark.key): mark for mark in marks}
        for name, mark in named.items():
            if name in self._marks:  # and not: until when. The clock may have leapt since somebody looked at the credential
                return mark
        self._marks |= {name: mark.expires_at for name, mark in named.items()}
        self._sweep()
        return None

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: value for key in keys if (value := self._live(key)) is not None}

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        self._set(key, value, None if ttl is None else self._clock() + ttl)

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        if self._live(key) != expected:
            return False
        await self.put(key, value, ttl=ttl)
        return True

    async def count(self, key: str, *, ttl: float) -> int:
        before = self._live(key)
        total = int(before or 0) + 1
        expires = self._values[key][1] if before is not None else self._clock() + ttl
        self._set(key, str(total).encode(), expires)
        return total

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        for key in [k for k in self._values if k.startswith(prefix)]:
            if (value := self._live(key)) is not None:
                yield key, value
