"""The reference is what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from cambist.errors import Refusal

DOCS = Path(__file__).parents[2] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = _generator()


def test_no_page_of_the_reference_is_stale() -> None:
    assert generator.stale() == [], "run `make docs`"


def test_every_refusal_has_a_meaning_a_hint_and_a_code_of_its_own() -> None:
    kinds = [kind for kind in generator.refusals(Refusal) if kind is not Refusal]
    assert len({kind.reason for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.meaning().endswith("."), kind
        assert kind.hint, kind


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_link_of_the_top_pages_leads_somewhere(name: str) -> None:
    page = DOCS.parent / name
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link
