"""A token type of one's own is short: the plugin that vendors begin with keeps to the lines that are promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from habits.workspace import ROOT

ACME = ROOT / "plugins-contrib" / "acme"
SOURCE, TEST = 40, 30


def _lines(folder: Path) -> int:
    """Docstrings and imports included, blank lines and comments not."""
    texts = [line.strip() for file in folder.rglob("*.py") for line in file.read_text("utf-8").splitlines()]
    return sum(bool(text) and not text.startswith("#") for text in texts)


@pytest.mark.row("P-vendor")
def test_a_token_type_has_at_most_forty_lines_and_its_test_thirty() -> None:
    assert 10 < _lines(ACME / "src") <= SOURCE
    assert 10 < _lines(ACME / "tests") <= TEST


def test_its_test_is_the_contract() -> None:
    (test,) = (ACME / "tests").glob("*.py")
    assert "(ValidatorContract):" in test.read_text("utf-8")
