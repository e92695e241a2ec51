"""Whose turn it is to accept: of the workers that share a listening socket, the one that has the fewest connections."""

from __future__ import annotations

AWAY = 1 << 62
"""Stands where a number of connections would, while a worker accepts nothing."""
PART = 16
"""Of a worker's connections one in so many makes no difference: a thousand are not kept even to the last."""
PAUSE, LONGEST = 0.001, 0.008
"""Seconds for which a worker holds back: for each connection that it has more than who has fewest, and at most."""
PATIENCE = 0.1
"""Seconds, in all, for which one that does not look is held back for. Then it is as if it were away, until it looks again."""


class Turn:
    """One worker's view of numbers that all write down, each its own: how many connections it has, and how often it has looked.

    Who has fewest never holds back, and who holds back does so for a moment only: whoever is awake, somebody takes the next.
    """

    def __init__(self, own: int, connections: memoryview, looks: memoryview) -> None:
        self._own, self._connections, self._looks = own, connections, looks
        self._mine, self._away = 0, True
        self._seen = list(looks)
        self._waited = [0.0] * len(looks)

    @classmethod
    def alone(cls) -> Turn:
        """For who shares with nobody."""
        return cls(0, memoryview(bytearray(8)).cast("q"), memoryview(bytearray(8)).cast("q"))

    def come(self) -> None:
        self._away = False
        self._tell()

    def leave(self) -> None:
        self._away = True
        self._tell()

    def has(self, connections: int) -> None:
        self._mine = connections
        self._tell()

    @property
    def ours(self) -> bool:
        """Whether nobody has fewer, by more than makes a difference."""
        return min(self._connections) >= self._enough

    def look(self) -> float:
        """When somebody may be waiting: seconds for which to hold back, 0 where the turn is ours."""
        self._looks[self._own] += 1
        if self.ours:
            return 0.0
        awake = [worker for worker in self._before() if self._awake(worker)]
        fewest = min((self._connections[worker] for worker in awake), default=self._mine)
        return max(0.0, min(PAUSE * (self._mine - fewest), LONGEST))  # others go on counting while we do

    def over(self, pause: float) -> bool:
        """When it has held back: whether the next is ours all the same, for of those who come before us nobody has looked meanwhile."""
        before = self._before()
        asleep = [worker for worker in before if self._looks[worker] == self._seen[worker]]
        for worker in asleep:
            self._waited[worker] += pause
        return len(asleep) == len(before)

    @property
    def _enough(self) -> int:
        return self._mine - self._mine // PART

    def _before(self) -> list[int]:
        return [worker for worker, connections in enumerate(self._connections) if connections < self._enough]

    def _awake(self, worker: int) -> bool:
        if self._looks[worker] != self._seen[worker]:
            self._seen[worker] = self._looks[worker]
            self._waited[worker] = 0.0
        return self._waited[worker] < PATIENCE

    def _tell(self) -> None:
        self._connections[self._own] = AWAY if self._away else self._mine
