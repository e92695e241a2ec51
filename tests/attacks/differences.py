"""Where this service is stricter than a set demands, on purpose: declared in differences.toml, each with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .corpus import Case

DECLARED = Path(__file__).parent / "differences.toml"


@dataclass(frozen=True, slots=True)
class Differences:
    """Reasons, by set and category. They excuse refusals; there is no way to declare that something bad may be accepted."""

    reasons: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def declared(self, name: str, case: Case) -> bool:
        return (name, case.category) in self.reasons


def differences(file: Path = DECLARED) -> Differences:
    """Raises ValueError for a declaration without a reason."""
    reasons: dict[tuple[str, str], str] = {}
    for entry in tomllib.loads(file.read_text("utf-8"))["difference"]:
        if not entry["reason"].strip():
            raise ValueError(f"{entry['set']}: a difference needs its reason")
        reasons |= {(entry["set"], category): entry["reason"] for category in entry["categories"]}
    return Differences(reasons)
