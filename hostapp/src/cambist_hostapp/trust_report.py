"""What `cambist trust check` found, in words for people and as a document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambist.check import Check, State
from cambist.legible import legible

from .trial import Judgement
from .trust_sources import Seen

MOST = 1000
"""The longest text that is shown, in characters."""
MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.NOTE: "·"}


def lines(issuers: Sequence[Seen], token: Sequence[Judgement] | None) -> Iterator[str]:
    if not issuers:
        yield "nobody whose keys or answers could be looked at is trusted here"
    for seen in issuers:
        yield _shown(" ".join(filter(None, (seen.plugin, seen.trust.name, seen.trust.issuer))))
        yield from _checks(seen.checks)
    for judgement in token or ():
        types = " or ".join(judgement.token_types)
        yield f"the sample, sent as {types}: {_who(judgement)}"
        yield from _checks(judgement.checks)
        yield "  it would be accepted" if judgement.accepted else "  it would be refused"


def _who(judgement: Judgement) -> str:
    if judgement.plugin is None:
        return "nobody takes it"
    return f"{judgement.plugin} {'takes it' if judgement.taken else 'does not take it'}"


def _checks(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        reason = f"{check.reason}: " if check.reason else ""
        yield f"  {MARKS[check.state]} {check.name:<14} {reason}{_shown(check.said)}"
        for name, value in (("expected", check.expected), ("seen", check.seen)):
            if value is not None:
                yield f"      {name:<12} {_shown(_text(value))}"
        if check.hint:
            yield f"      {'do':<12} {check.hint}"


def document(zone: str, issuers: Sequence[Seen], token: Sequence[Judgement] | None, sound: bool) -> dict[str, Any]:
    return {
        "ok": sound,
        "zone": zone,
        "issuers": [
            {"plugin": one.plugin, "issuer": one.trust.issuer, "name": one.trust.name, "ok": one.sound, "checks": _listed(one.checks)}
            for one in issuers
        ],
        "token": None if token is None else [_judgement(one) for one in token],
    }


def _judgement(one: Judgement) -> dict[str, Any]:
    return {
        "plugin": one.plugin,
        "taken": one.taken,
        "token_types": list(one.token_types),
        "accepted": one.accepted,
        "checks": _listed(one.checks),
    }


def _listed(checks: Sequence[Check]) -> list[dict[str, Any]]:
    return [
        {
            "check": check.name,
            "state": check.state,
            "said": _shown(check.said),
            "reason": check.reason,
            "expected": _plain(check.expected),
            "seen": _plain(check.seen),
            "hint": check.hint,
        }
        for check in checks
    ]


def _plain(value: object) -> Any:
    """A value as JSON can say it."""
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {_shown(str(name)): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
    return _shown(str(value))


def _text(value: object) -> str:
    match _plain(value):
        case list() as listed:
            return ", ".join(map(str, listed)) or "none"
        case {**members}:
            return ", ".join(f"{name} {inner}" for name, inner in members.items())
        case other:
            return str(other)


def _shown(text: str) -> str:
    """What a stranger wrote must not steer a terminal."""
    return legible(text, MOST)
