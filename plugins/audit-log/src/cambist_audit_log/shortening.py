"""How a line that would be too long becomes one that is not: it does without details, and says so."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from .line import MAX_LINE, Line, Party, encoded
from .steps import outline


def fitted(line: Line) -> bytes:
    """Its JSON, of at most MAX_LINE bytes."""
    text = encoded(line)
    return text if len(text) <= MAX_LINE else _shortened(line, text)


def _shortened(line: Line, text: bytes) -> bytes:
    for detail, without in _DETAILS.items():
        if len(text) <= MAX_LINE:
            break
        if (less := without(line)) != line:
            line = replace(less, shortened=[*line.shortened, detail])
            text = encoded(line)
    return text


def _without_attributes(line: Line) -> Line:
    return replace(line, subject=_bare(line.subject), actor=_bare(line.actor))


def _bare(party: Party | None) -> Party | None:
    return party and replace(party, attributes=None)


_DETAILS: dict[str, Callable[[Line], Line]] = {
    "attributes": _without_attributes,
    "facts": lambda line: replace(line, steps=[outline(step) for step in line.steps]),
    "refusal": lambda line: replace(line, refusal=None),
    "asked": lambda line: replace(line, asked=None),
    "policy": lambda line: replace(line, policy=None),
    "chain": lambda line: replace(line, chain=[]),
    "steps": lambda line: replace(line, steps=[]),
}
"""What it does without, in this order."""
