"""Numbers in memory that processes share: each process adds to a row of its own, and any of them can tell the sum.

A row outlives who wrote it: what a killed process had counted is still there, and its successor goes on from it.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Mapping, Sequence

ENTRY = 128
"""Bytes of one entry: the key, and in the last eight the number."""
KEY = ENTRY - 8
ENTRIES = 2048
"""Entries of one row. Labels are bounded, so that a row is never full; where it is, what is new is not counted."""
ROW = ENTRY * ENTRIES
WORDS = ENTRY // 8
SEPARATOR = "\x1f"

Key = tuple[str, ...]


class Tally:
    """One row, and its only writer. An entry counts from when the number of entries says that it is there."""

    def __init__(self, memory: memoryview) -> None:
        self._bytes, self.numbers = memory, memory.cast("d")
        self._where = {key: _number(place) for place, key in enumerate(keys(memory), 1)}

    def add(self, key: Key, amount: float = 1.0) -> None:
        if where := self.where(key):
            self.numbers[where] += amount

    def where(self, key: Key) -> int:
        """Where the number of a key stands, for good, among `numbers`; 0 when there is no place for it."""
        return self._where.get(key) or self._enter(key)

    def _enter(self, key: Key) -> int:
        """Where the number of a new key stands; 0 when there is no place left."""
        text, place = SEPARATOR.join(key).encode(), len(self._where) + 1
        if len(text) > KEY or place >= ENTRIES:
            return 0
        self._bytes[place * ENTRY : place * ENTRY + len(text)] = text
        self._where[key] = _number(place)
        self.numbers[0] = place
        return _number(place)


def _number(place: int) -> int:
    """Where the number of an entry stands, among all numbers."""
    return place * WORDS + WORDS - 1


def keys(memory: memoryview) -> Sequence[Key]:
    """The keys of a row, in the order of their places."""
    used = int(memory.cast("d")[0])
    return [_key(memory, place) for place in range(1, used + 1)]


def _key(memory: memoryview, place: int) -> Key:
    raw = bytes(memory[place * ENTRY : place * ENTRY + KEY])
    return tuple(raw.rstrip(b"\x00").decode().split(SEPARATOR))


class Tallies:
    """Rows for processes that are forked from the one that made this."""

    def __init__(self, rows: int = 1) -> None:
        self._memory = memoryview(mmap.mmap(-1, rows * ROW))
        self._rows = rows

    def row(self, number: int) -> Tally:
        return Tally(self._of(number))

    def total(self) -> Mapping[Key, float]:
        """Each number, summed over all rows."""
        found: Counter[Key] = Counter()
        for number in range(self._rows):
            memory = self._of(number)
            numbers = memory.cast("d")
            for place, key in enumerate(keys(memory), 1):
                found[key] += numbers[_number(place)]  # type: ignore[assignment]  # a Counter sums floats as well
        return found

    def _of(self, number: int) -> memoryview:
        return self._memory[number * ROW : (number + 1) * ROW]
