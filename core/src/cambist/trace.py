"""What happened, step by step: the one source of audit record, metrics, spans and `explain`."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter_ns
from typing import Any, TypeVar

from msgspec import Struct, field

T = TypeVar("T")


class Step(Struct):
    """One step of the story: when it began and ended, in nanoseconds of a monotonic clock, and the value or error that came of it."""

    name: str
    started: int
    ended: int = 0
    outcome: Any = None

    @property
    def microseconds(self) -> int:
        return (self.ended - self.started) // 1000


class Trace(Struct):
    """The steps of one decision, in order."""

    decision_id: str
    started_at: float
    steps: list[Step] = field(default_factory=list)

    async def step(self, name: str, work: Awaitable[T]) -> T:
        step = Step(name, perf_counter_ns())
        self.steps.append(step)
        try:
            step.outcome = result = await work
            return result
        except BaseException as error:
            step.outcome = error
            raise
        finally:
            step.ended = perf_counter_ns()

    def saw(self, name: str, value: T) -> T:
        now = perf_counter_ns()
        self.steps.append(Step(name, now, now, value))
        return value

    def outcome(self, name: str) -> Any:
        """What came of a step; None when it never ran."""
        for step in self.steps:
            if step.name == name:
                return step.outcome
        return None
