"""The pages as a site: every page is in it, no link of any of them leads nowhere, and a reader needs no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from habits.pages import linked
from habits.workspace import ROOT

DOCS = ROOT / "docs"
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\bsrc=\"?(?:https?:)?//|<link[^>]*\bhref=\"?(?:https?:)?//|url\((?:https?:)?//|@import"
)


def built(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does for the site, with another target."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", target],
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site") / "site"
    done = built(ROOT, target)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return target


def test_every_page_is_in_the_site_and_in_its_navigation(site: Path) -> None:
    front = (site / "index.html").read_text("utf-8")
    for page in DOCS.rglob("*.md"):
        place = page.relative_to(ROOT).with_suffix(".html").as_posix().replace("README.html", "index.html")
        assert (site / place).is_file(), place
        assert f'href="{place}"' in front, place


def test_every_page_is_in_the_index() -> None:
    pages = {page for page in DOCS.rglob("*.md") if page.parent.name != "adr" and page.name != "README.md"}
    assert sorted(pages - set(linked(DOCS / "README.md"))) == []
    assert sorted(set((DOCS / "adr").glob("0*.md")) - set(linked(DOCS / "adr" / "README.md"))) == []


def test_a_reader_of_the_site_needs_no_network(site: Path) -> None:
    fetched = [str(page) for page in site.rglob("*") if page.suffix in (".html", ".css") and FETCHED.search(page.read_text("utf-8"))]
    assert fetched == []


@pytest.mark.parametrize("wrong", ["[there](nowhere.md)", "[there](docs/README.md#nothing)", "[there](nowhere)"])
def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("mkdocs.yml", "docs/pages.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "docs" / "README.md").write_text("# Documentation\n", "utf-8")
    (tmp_path / "README.md").write_text("# Cambist\n\n[right](docs/README.md#documentation)\n", "utf-8")
    assert built(tmp_path, tmp_path / "right").returncode == 0
    (tmp_path / "README.md").write_text(f"# Cambist\n\n{wrong}\n", "utf-8")
    assert built(tmp_path, tmp_path / "wrong").returncode == 1
