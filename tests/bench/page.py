"""The page that figures are written into: each run replaces what stands between its own two marks, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from .work import ROOT

PAGE = ROOT / "docs/explanation/performance.md"


def put(name: str, text: str, page: Path | None = None) -> None:
    """Raises LookupError when the page has no such place."""
    page = page or PAGE
    marks = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    written, places = marks.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page.read_text("utf-8"))
    if places != 1:
        raise LookupError(f"{page}: {places} places for {name}")
    page.write_text(written, "utf-8")
