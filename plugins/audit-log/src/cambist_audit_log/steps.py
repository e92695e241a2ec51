"""The steps of a decision in words: what each took, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from cambist import Refusal
from cambist import trace as told

from .line import Step
from .withheld import Withheld


def steps(story: Sequence[told.Step], withheld: Withheld) -> list[Step]:
    steps = []
    for step in story:
        words = _WORDS[type(step.outcome)]
        took = (step.ended - step.started) // 1000  # its `microseconds`, without a call for each
        steps.append(_looked_at(step, took, withheld) if words is None else Step(step.name, took, words))
    return steps


def outline(step: Step) -> Step:
    """A step without what was said in it."""
    return replace(step, facts=None)


def _looked_at(step: told.Step, took: int, withheld: Withheld) -> Step:
    outcome = step.outcome
    if isinstance(outcome, tuple):
        return Step(step.name, took, _counted(outcome))
    if isinstance(outcome, Refusal):
        return Step(step.name, took, "refused", outcome.reason, withheld.plain(outcome.facts) if outcome.facts else None)
    return Step(step.name, took, "failed", type(outcome).__name__)  # its words may hold anything


def _counted(values: tuple[object, ...]) -> str:
    if not values:
        return "nothing"
    kind = type(values[0])
    return f"{len(values)} {_WORDS[kind] or _called(kind)}{'s' if len(values) > 1 else ''}"


class _Words(dict[type, str | None]):
    """What came of a step, where the type of it says that; None where the value has to be looked at."""

    def __missing__(self, kind: type) -> str | None:
        words = None if issubclass(kind, tuple | BaseException) else _called(kind)
        if len(self) < 256:  # a plugin may make types at will
            self[kind] = words
        return words


def _called(kind: type) -> str:
    """`MintedToken` is a minted token."""
    return "nothing" if kind is type(None) else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind.__name__.lstrip("_")).lower()


_WORDS = _Words()
