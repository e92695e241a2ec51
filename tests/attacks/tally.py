"""The account of one set: what was decided, how much of it rightly, and what may never happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .corpus import Case
from .differences import Differences
from .judging import Judgement
from .skips import Skipped, Why

COLUMNS = ("right", "decided", "bad_accepted", "unclean", "leaks")


@dataclass(slots=True)
class Tally:
    """`controls`: every case that must be accepted was. `told` says for people what was not as it should be."""

    name: str
    controls: bool = True
    right: int = 0
    decided: int = 0
    bad_accepted: int = 0
    unclean: int = 0
    leaks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    differences: Differences = field(default_factory=Differences)

    @property
    def good(self) -> bool:
        return self.controls and self.right == self.decided and not (self.bad_accepted or self.unclean or self.leaks)

    def skip(self, case_id: str, skipped: Skipped) -> None:
        self.skipped[skipped.why] += 1
        if skipped.why in (Why.INPUT, Why.SET):
            self.told.append(f"{case_id}: skipped: {skipped}")

    def count(self, case: Case, judgement: Judgement) -> None:
        """One case that ran. A difference that is declared can excuse a refusal, never an acceptance, and nothing unclean."""
        for what in judgement.unclean:
            self.told.append(f"{case.id}: unclean: {what}")
        self.unclean += bool(judgement.unclean)
        self.bad_accepted += judgement.bad
        if case.expect == "either":
            return
        stricter = case.expect == "accept" and bool(judgement.wrong) and not judgement.accepted
        if stricter and self.differences.declared(self.name, case):
            self.skip(case.id, Skipped(Why.DIFFERENT))
            return
        self.decided += 1
        self.right += not judgement.wrong
        self.controls = self.controls and not (case.expect == "accept" and judgement.wrong)
        self.told += [f"{case.id}: {case.category}: {what}" for what in judgement.wrong]

    def leak(self, where: str, what: str) -> None:
        self.leaks += 1
        self.told.append(f"leak: {what} in {where}")

    def document(self) -> dict[str, Any]:
        counted = {name: getattr(self, name) for name in COLUMNS}
        return {"controls": self.controls, **counted, "skipped": dict(sorted(self.skipped.items()))}


def table(tallies: Iterable[Tally]) -> Iterator[str]:
    """For people, one line for each set."""
    yield f"{'set':<26} {'controls':<8} " + " ".join(f"{name:>12}" for name in COLUMNS) + "  skipped"
    for tally in tallies:
        numbers = " ".join(f"{getattr(tally, name):>12}" for name in COLUMNS)
        skipped = ", ".join(f"{n} {why}" for why, n in sorted(tally.skipped.items())) or "-"
        yield f"{tally.name:<26} {'yes' if tally.controls else 'NO':<8} {numbers}  {skipped}"
