"""A decision told in words, from its record in the ledger: how the credential travelled, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def told(record: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the story, the outcome first."""
    yield f"decision {record['decision_id']}  {record.get('at', '')}  {record['outcome']}"
    for name in ("zone", "dialect", "grant_type"):
        if record.get(name):
            yield f"  {name:<11} {record[name]}"
    for name in ("client", "subject", "actor"):
        if record.get(name):
            yield f"  {name:<11} {_party(record[name])}"
    for name in ("asked", "granted", "refusal", "policy"):
        if record.get(name):
            yield f"  {name:<11} {_members(record[name])}"
    yield "  steps"
    for step in record.get("steps", ()):
        yield f"    {step['name']:<11} {step.get('microseconds', 0):>7} µs  {_outcome(step)}"


def _party(party: Any) -> str:
    return _members(party) if isinstance(party, Mapping) else str(party)


def _members(members: Any) -> str:
    if not isinstance(members, Mapping):
        return str(members)
    return "  ".join(f"{name}={_short(value)}" for name, value in members.items() if value not in (None, [], {}, ""))


def _short(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _outcome(step: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in step.items() if name not in ("name", "microseconds")}
    return _members(rest)
