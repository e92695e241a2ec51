"""Hears of every connection that the service makes, so that one which nobody configured is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Witness:
    """Reads what the plugin `heard` wrote: a line for each connection and each look-up. Without a file it has heard nothing."""

    file: Path | None = None

    def mark(self) -> int:
        """Up to where the record goes by now."""
        return self.file.stat().st_size if self.file is not None and self.file.exists() else 0

    def strangers(self, mark: int, configured: frozenset[str]) -> list[str]:
        """Who was called since a mark, but for what was configured."""
        if self.file is None or not self.file.exists():
            return []
        with self.file.open("rb") as record:
            record.seek(mark)
            lines = record.read().decode("utf-8", "replace").splitlines()
        return sorted({line for line in lines if line not in configured})
