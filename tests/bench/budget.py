"""Where the time of an exchange goes, by the steps of its story."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Awaitable, Mapping
from time import perf_counter_ns

from cambist.audit import DONE, Record

LEDGER = "ledger"
STEPS: Mapping[str, str] = {
    "subject": "the token is proved: signature, issuer, audience, times",
    "standing": "nothing that was named is revoked",
    "policy": "the question is written as JSON, the compiled rules decide, their answer is read",
    "key": "the key that signs is found",
    "mint": "the claims are written and signed",
    LEDGER: "the line of the decision is made, chained and written",
}


class Stopwatch:
    """An observer that keeps how long each step took. It is told when the line is written, right after the last of them."""

    required = False

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = defaultdict(list)

    def observe(self, record: Record) -> Awaitable[None]:
        steps = record.trace.steps
        self._took[LEDGER].append((perf_counter_ns() - steps[-1].ended) / 1000)
        for step in steps:
            self._took[step.name].append((step.ended - step.started) / 1000)
        return DONE

    def medians(self) -> dict[str, float]:
        """Microseconds of each step that is told of."""
        return {name: statistics.median(took) for name, took in self._took.items() if name in STEPS}


def told(figures: Mapping[str, float]) -> str:
    """A table of parts of an exchange without HTTP, whose token was seen before. What no step has is reading, answer and all between."""
    whole = figures["pipeline.watched"]
    steps = {name: figures[f"step.{name}"] for name in STEPS if f"step.{name}" in figures}
    rest = whole - sum(steps.values())
    lines = ["| step | what happens | part of an exchange |", "|---|---|--:|"]
    lines += [f"| {name} | {STEPS[name]} | {took / whole:.0%} |" for name, took in steps.items()]
    lines.append(f"| around | reading, identifiers, metrics, the answer, and what binds the steps | {rest / whole:.0%} |")
    return "\n".join([*lines, "", f"Together that is {figures['pipeline.es256.over_floor']:.2f} times the floor."])
