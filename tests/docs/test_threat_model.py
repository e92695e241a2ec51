"""Every test that the threat model names is there."""

from __future__ import annotations

import re

from habits.workspace import ROOT, definitions, files

PAGE = ROOT / "docs" / "explanation" / "threat-model.md"


def test_every_threat_is_guarded_by_tests_that_are_there() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE.read_text("utf-8"))
    modules = {file.name: file for file in files() if file.name in {module for module, _ in named}}
    found = {(name, test.name) for name, file in modules.items() for test in definitions(file)}
    assert [f"{module}::{test}" for module, test in named if (module, test) not in found] == []
    assert len(named) > 60


def test_no_threat_is_without_a_test() -> None:
    text = PAGE.read_text("utf-8")
    threats = text[text.index("## Forging") : text.index("## What is not stopped")]
    for threat in re.split(r"^- ", threats, flags=re.MULTILINE)[1:]:
        assert "::test_" in threat, threat
