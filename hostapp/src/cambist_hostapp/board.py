"""What the processes of one service can see of its workers: shared memory in which the supervisor and each worker write their own."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from .servers.turn import AWAY, Turn

WORKERS = 64
"""The most workers that a generation can have; `listen.workers` has the same limit."""
GENERATIONS = 2
"""How many are alive at once: when the settings are read anew, the one that finishes and the one that takes over."""
PORTS = 2
"""On how many addresses a service listens at most."""
_ROWS = 1 + WORKERS * 2 + PORTS * WORKERS * 2
SIZE = (1 + GENERATIONS * _ROWS) * 8


class State(IntEnum):
    """How a worker is."""

    STARTING = 0
    OPEN = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Board:
    """Numbers of eight bytes: the generation that serves; for each that can be alive its size, process ids and states.

    And for each address how many connections each worker has there, and how often it has looked for more.
    """

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
        for port in range(PORTS):  # one that is open accepts in a moment, and the others leave it its part already
            self.connections(generation, port)[worker] = 0 if state is State.OPEN else AWAY

    def pids(self, generation: int) -> Sequence[int]:
        return [self.numbers[_first(generation) + 1 + worker * 2] for worker in range(self._size(generation))]

    def states(self, generation: int) -> Sequence[State]:
        return [State(self.numbers[_first(generation) + 2 + worker * 2]) for worker in range(self._size(generation))]

    def connections(self, generation: int, port: int) -> memoryview:
        """How many each worker has, on the address that comes so many places after the first; AWAY where it accepts none."""
        return self._turns(generation, port, 0)

    def turn(self, generation: int, port: int, worker: int) -> Turn:
        """Which of its generation accepts next there, as one of them sees it."""
        return Turn(worker, self.connections(generation, port), self._turns(generation, port, 1))

    def _turns(self, generation: int, port: int, which: int) -> memoryview:
        first = _first(generation) + 1 + WORKERS * 2 + (port * 2 + which) * WORKERS
        return self.numbers[first : first + self._size(generation)]

    def _size(self, generation: int) -> int:
        return self.numbers[_first(generation)]


def _first(generation: int) -> int:
    return 1 + generation % GENERATIONS * _ROWS
