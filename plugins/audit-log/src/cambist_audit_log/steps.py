"""The steps of a decision in words: what each took, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
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
    outcome = step.outcome
    if isinstance(outcome, BaseException):
        return {"name": step.name, "microseconds": step.microseconds, **_ended(outcome, withheld)}
    return {"name": step.name, "microseconds": step.microseconds, "outcome": _words(outcome)}


def _ended(error: BaseException, withheld: Withheld) -> Told:
    if not isinstance(error, Refusal):
        return {"outcome": "failed", "reason": type(error).__name__}  # its words may hold anything
    facts = {"facts": withheld.plain(error.facts)} if error.facts else {}
    return {"outcome": "refused", "reason": error.reason, **facts}


def _words(value: object) -> str:
    if value is None or value == ():
        return "nothing"
    if isinstance(value, tuple):
        return f"{len(value)} {_kind(type(value[0]).__name__)}{'s' if len(value) > 1 else ''}"
    return _kind(type(value).__name__)


@lru_cache
def _kind(name: str) -> str:
    """`MintedToken` is a minted token."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.lstrip("_")).lower()
