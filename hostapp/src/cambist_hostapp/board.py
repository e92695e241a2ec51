"""What the processes of one service can see of its workers: shared memory in which the supervisor and each worker write their own."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

WORKERS = 64
"""The most workers that a generation can have; `listen.workers` has the same limit."""
GENERATIONS = 2
"""How many are alive at once: when the settings are read anew, the one that finishes and the one that takes over."""
_ROWS = 1 + WORKERS * 2
SIZE = (1 + GENERATIONS * _ROWS) * 8


class State(IntEnum):
    """How a worker is."""

    STARTING = 0
    OPEN = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Board:
    """Numbers of eight bytes: the generation that serves; for each generation that can be alive, its size, process ids and states."""

    numbers: memoryview

    @classmethod
    def made(cls) -> Board:
        """For this process and those that it forks."""
        return cls(memoryview(mmap.mmap(-1, SIZE)).cast("q"))

    @classmethod
    def at(cls, descriptor: int) -> Board:
        """In a file that is open here, and elsewhere as well."""
        os.ftruncate(descriptor, SIZE)
        return cls(memoryview(mmap.mmap(descriptor, SIZE)).cast("q"))

    @property
    def generation(self) -> int:
        """The generation that serves; 0 before there is one."""
        return self.numbers[0]

    def begin(self, generation: int, workers: int) -> None:
        self.numbers[_first(generation)] = workers
        for worker in range(workers):
            self.note(generation, worker, 0, State.STARTING)

    def serve(self, generation: int) -> None:
        self.numbers[0] = generation

    def note(self, generation: int, worker: int, pid: int, state: State) -> None:
        place = _first(generation) + 1 + worker * 2
        self.numbers[place], self.numbers[place + 1] = pid, state

    def pids(self, generation: int) -> Sequence[int]:
        return [self.numbers[_first(generation) + 1 + worker * 2] for worker in range(self._size(generation))]

    def states(self, generation: int) -> Sequence[State]:
        return [State(self.numbers[_first(generation) + 2 + worker * 2]) for worker in range(self._size(generation))]

    def _size(self, generation: int) -> int:
        return self.numbers[_first(generation)]


def _first(generation: int) -> int:
    return 1 + generation % GENERATIONS * _ROWS
