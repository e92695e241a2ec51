"""Workers that serve with the same settings, and how those that cannot open are tried again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cambist import Settings

from .board import Board, State
from .child import Child

TRIES = 3
"""How often in a row a worker may fail to open before settings that never served are given up."""
SHORTEST, LONGEST = 0.1, 5.0
"""Seconds until a worker that could not open is tried again: twice as many each time."""


@dataclass(slots=True)
class Generation:
    """`due` says when the workers that are missing are started."""

    number: int
    settings: Settings
    board: Board
    children: dict[int, Child] = field(default_factory=dict)
    failures: dict[int, int] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board.begin(self.number, self.size)
        self.due = dict.fromkeys(range(self.size), 0.0)

    @property
    def size(self) -> int:
        return self.settings.service.listen.workers

    @property
    def open(self) -> bool:
        return all(state is State.OPEN for state in self.board.states(self.number))

    @property
    def hopeless(self) -> bool:
        return any(count >= TRIES for count in self.failures.values())

    def overdue(self) -> list[int]:
        now = time.monotonic()
        return [worker for worker, moment in self.due.items() if moment <= now]

    def began(self, child: Child) -> None:
        del self.due[child.worker]
        self.children[child.worker] = child
        self.board.note(self.number, child.worker, child.pid, State.STARTING)

    def opened(self, child: Child) -> None:
        child.open = True
        self.failures.pop(child.worker, None)
        self.board.note(self.number, child.worker, child.pid, State.OPEN)

    def stuck(self, number: int) -> None:
        """A worker could not even be started."""
        self.failures[number] = self.failures.get(number, 0) + 1
        self.due[number] = time.monotonic() + LONGEST

    def lost(self, child: Child) -> float:
        """A worker has ended: in how many seconds it is to be started again. One that had served: at once."""
        served = child.open
        self.failures[child.worker] = 0 if served else self.failures.get(child.worker, 0) + 1
        delay = 0.0 if served else min(SHORTEST * 2 ** (self.failures[child.worker] - 1), LONGEST)
        del self.children[child.worker]
        self.due[child.worker] = time.monotonic() + delay
        self.board.note(self.number, child.worker, 0, State.STARTING if served else State.FAILED)
        return delay
