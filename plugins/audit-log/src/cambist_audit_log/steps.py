"""The steps of a decision in words: what each took, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cambist import Refusal
from cambist.trace import Step, Trace

from .withheld import Withheld

Told = Mapping[str, Any]


def steps(trace: Trace, withheld: Withheld) -> list[Told]:
    return [_told(step, withheld) for step in trace.steps]


def outline(step: Told) -> Told:
    """A step without what was said in it."""
    return {name: step[name] for name in ("name", "microseconds", "outcome", "reason") if name in step}


def _told(step: Step, withheld: Withheld) -> Told:
    told: dict[str, Any] = {"name": step.name, "microseconds": step.microseconds}
    if isinstance(step.outcome, BaseException):
        told |= _ended(step.outcome, withheld)
    else:
        told["outcome"] = _words(step.outcome)
    return told


def _ended(error: BaseException, withheld: Withheld) -> Told:
    if not isinstance(error, Refusal):
        return {"outcome": "failed", "reason": type(error).__name__}  # its words may hold anything
    facts = {"facts": withheld.plain(error.facts)} if error.facts else {}
    return {"outcome": "refused", "reason": error.reason, **facts}


def _words(outcome: object) -> str:
    if not isinstance(outcome, tuple):
        return _WORDS[type(outcome)]
    if outcome:
        return f"{len(outcome)} {_WORDS[type(outcome[0])]}{'s' if len(outcome) > 1 else ''}"
    return "nothing"


class _Words(dict[type, str]):
    """What a value of a type is called."""

    def __missing__(self, kind: type) -> str:
        words = "nothing" if kind is type(None) else _spoken(kind.__name__)
        if len(self) < 256:  # a plugin may make types at will
            self[kind] = words
        return words


def _spoken(name: str) -> str:
    """`MintedToken` is a minted token."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.lstrip("_")).lower()


_WORDS = _Words()
