"""What a verification finds, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

MOST = 1000
"""Findings that are kept; the rest is counted."""


class Kind(StrEnum):
    """What is wrong; the last two are no damage."""

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    CUT = "cut"
    FOREIGN = "foreign"
    OTHER_KEY = "other key"
    UNCLOSED = "unclosed"
    UNSEALED = "unsealed"


NOTES = frozenset({Kind.UNCLOSED, Kind.UNSEALED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing, and its place as far as it has one."""

    kind: Kind
    text: str
    file: str | None = None
    line: int | None = None
    decision_id: str | None = None

    @property
    def place(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        decision = "" if self.decision_id is None else f" (decision {self.decision_id})"
        return f"{self.file or 'the ledger'}{line}{decision}"


@dataclass(slots=True)
class Report:
    """Everything that was found, and how much was read."""

    findings: list[Finding] = field(default_factory=list)
    chains: int = 0
    segments: int = 0
    lines: int = 0
    decisions: int = 0
    more: int = 0
    damaged: bool = False

    def add(self, finding: Finding) -> None:
        self.damaged |= finding.kind not in NOTES
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self.more += 1

    @property
    def damage(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind not in NOTES]

    @property
    def notes(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind in NOTES]

    def document(self) -> Mapping[str, Any]:
        counts = {name: getattr(self, name) for name in ("chains", "segments", "lines", "decisions")}
        left_out = {"more": self.more} if self.more else {}
        return {"ok": not self.damaged, **counts, **left_out, "damage": _told(self.damage), "notes": _told(self.notes)}


def _told(findings: list[Finding]) -> list[Mapping[str, Any]]:
    return [{name: value for name, value in asdict(finding).items() if value is not None} for finding in findings]
