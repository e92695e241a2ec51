"""Counts what became of the mutants of a module, and holds it against what is known of them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping

from .trial import ALIVE, KILLED, LATE, STILLBORN, UNREACHED

MOST = 0.15
"""The share of a module's mutants that may be left alive."""


class Tally:
    """`equivalent` are the names of mutants that behave as the program does, each with the reason."""

    def __init__(self, module: str, equivalent: Mapping[str, str], *, partial: bool) -> None:
        self._module, self._equivalent, self._partial = module, equivalent, partial
        self._outcomes: dict[str, str] = {}
        self.broken: list[str] = []

    def judge(self, name: str, outcome: str, by: str) -> None:
        self._outcomes[name] = outcome

    @property
    def alive(self) -> list[str]:
        return [name for name, outcome in self._outcomes.items() if outcome in (ALIVE, UNREACHED) and name not in self._equivalent]

    def wrong(self) -> list[str]:
        """What is said of mutants that is not so."""
        unknown = [f"there is no such mutant any more: {name}" for name in self._equivalent if name not in self._outcomes]
        killed = [f"said to be equivalent, and killed: {n}" for n in self._equivalent if self._outcomes.get(n) in (KILLED, LATE)]
        return killed if self._partial else unknown + killed

    def close(self) -> bool:
        """Tells everything. Whether it is good enough."""
        counts = Counter(self._outcomes.values())
        killed, alive = counts[KILLED] + counts[LATE], len(self.alive)
        share = alive / (killed + alive or 1)
        total = len(self._outcomes) - counts[STILLBORN]
        equivalent = total - killed - alive
        for line in (*(f"  alive: {name}" for name in self.alive), *self.wrong(), *(f"  fails by itself: {name}" for name in self.broken)):
            sys.stdout.write(f"{line}\n")
        sys.stdout.write(f"{self._module}: {total} mutants, {killed} killed, {alive} alive ({share:.0%}), {equivalent} equivalent\n")
        sys.stdout.flush()
        return share <= MOST and not self.wrong() and not self.broken
