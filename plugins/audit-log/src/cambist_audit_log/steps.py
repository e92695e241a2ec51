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
    return [
        {"name": step.name, "microseconds": (step.ended - step.started) // 1000, "outcome": words}
        if (words := _WORDS[type(step.outcome)])
        else _told(step, withheld)
        for step in trace.steps
    ]


def outline(step: Told) -> Told:
    """A step without what was said in it."""
    return {name: step[name] for name in ("name", "microseconds", "outcome", "reason") if name in step}


def _told(step: Step, withheld: Withheld) -> Told:
    outcome = step.outcome
    if isinstance(outcome, BaseException):
        return {"name": step.name, "microseconds": step.microseconds, **_ended(outcome, withheld)}
    return {"name": step.name, "microseconds": step.microseconds, "outcome": _words(outcome)}


def _ended(error: BaseException, withheld: Withheld) -> Told:
    if not isinstance(error, Refusal):
        return {"outcome": "failed", "reason": type(error).__name__}  # its words may hold anything
    facts = {"facts": withheld.plain(error.facts)} if error.facts else {}
    return {"outcome": "refused", "reason": error.reason, **facts}


def _words(outcome: object) -> str:
    if isinstance(outcome, tuple) and outcome:
        return f"{len(outcome)} {_WORDS[type(outcome[0])]}{'s' if len(outcome) > 1 else ''}"
    return "nothing"


class _Words(dict[type, str]):
    """What a value of a type is called; nothing, where the value itself must be looked at."""

    def __missing__(self, kind: type) -> str:
        words = "" if issubclass(kind, tuple | BaseException) else "nothing" if kind is type(None) else _spoken(kind.__name__)
        if len(self) < 256:  # a plugin may make types at will
            self[kind] = words
        return words


def _spoken(name: str) -> str:
    """`MintedToken` is a minted token."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.lstrip("_")).lower()


_WORDS = _Words()
