"""Looking for decisions: the last ones, those that fit, and those that are yet to come."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .directory import segments_in
from .line import moment
from .names import SegmentName
from .reading import backwards, document, forwards, newest_first

Line = Mapping[str, Any]

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a decision must be. Names may hold `*` and `?`; `since` and `until` are moments as lines have them."""

    decision: str | None = None
    outcome: str | None = None
    reason: str | None = None
    zone: str | None = None
    client: str | None = None
    subject: str | None = None
    actor: str | None = None
    since: str | None = None
    until: str | None = None

    def fits(self, line: Line) -> bool:
        at = str(line.get("at", ""))
        if "decision_id" not in line or (self.since and at < self.since) or (self.until and at >= self.until):
            return False
        client = part(line, "client")
        said: list[tuple[str | None, tuple[Any, ...]]] = [
            (self.decision, (line["decision_id"],)),
            (self.outcome, (line.get("outcome"),)),
            (self.reason, (line.get("reason"),)),
            (self.zone, (line.get("zone"),)),
            (self.client, (client.get("id"), client.get("claimed"))),
            (self.subject, (part(line, "subject").get("subject"),)),
            (self.actor, (part(line, "actor").get("subject"),)),
        ]
        return all(any(isinstance(one, str) and fnmatchcase(one, wanted) for one in texts) for wanted, texts in said if wanted)


def part(line: Line, name: str) -> Mapping[str, Any]:
    """A member of a line that has members; somebody may have altered what should be one."""
    found = line.get(name)
    return found if isinstance(found, dict) else {}


def searched(directory: Path, query: Query, most: int) -> list[Line]:
    """The newest decisions that fit, the oldest of them first. Memory is bounded by `most`, time is not. Raises OSError."""
    return _newest((line for name in segments_in(directory) for line in _of(directory, name) if query.fits(line)), most)


def last(directory: Path, most: int) -> list[Line]:
    """The newest decisions, the oldest of them first. Raises OSError."""
    return _newest((line for name in newest_first(directory) for line in _ending(directory, name, most)), most)


def _newest(lines: Iterator[Line], most: int) -> list[Line]:
    numbered = ((str(line.get("at", "")), number, line) for number, line in enumerate(lines))
    return [line for *_, line in sorted(heapq.nlargest(most, numbered, key=lambda one: one[:2]), key=lambda one: one[:2])]


def _of(directory: Path, name: SegmentName) -> Iterator[Line]:
    try:
        with (directory / str(name)).open("rb") as file:
            yield from map(document, forwards(file, 1 << 62))
    except FileNotFoundError:
        return  # retired meanwhile


def _ending(directory: Path, name: SegmentName, most: int) -> Iterator[Line]:
    found: list[Line] = []
    try:
        with (directory / str(name)).open("rb") as file:
            for raw in backwards(file):
                if len(found) == most:
                    break
                if "decision_id" in (line := document(raw)):
                    found.append(line)
    except FileNotFoundError:
        pass
    yield from reversed(found)


@dataclass(slots=True)
class Following:
    """What is written from when it was made on."""

    directory: Path
    _read: dict[SegmentName, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skip()

    def skip(self) -> None:
        """Raises OSError."""
        self._read = {name: (self.directory / str(name)).stat().st_size for name in segments_in(self.directory)}

    def more(self) -> list[Line]:
        """The decisions since the last call, in their order. Raises OSError."""
        lines = [line for name in segments_in(self.directory) for line in self._of(name) if "decision_id" in line]
        return sorted(lines, key=lambda line: str(line.get("at", "")))

    def _of(self, name: SegmentName) -> Iterator[Line]:
        """Whole lines only: of one that is being written the rest comes with the next call."""
        with (self.directory / str(name)).open("rb") as file:
            file.seek(self._read.get(name, 0))
            for line in forwards(file, 1 << 62):
                if line.endswith(b"\n"):
                    self._read[name] = self._read.get(name, 0) + len(line)
                    yield document(line)


def at(text: str, now: float) -> str:
    """A moment as lines have it: of `2027-01-15`, of `2027-01-15T12:00:00Z`, and of `15m`, which is so long ago. Raises ValueError."""
    if found := _AGO.fullmatch(text):
        return moment(now - timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds())
    told = datetime.fromisoformat(text)
    return moment((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp())
