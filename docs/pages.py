"""What mkdocs is told about our pages: the site has each where the repository has it, so a link that works there works in the site.

The front page is README.md. What a page links to comes along, wherever it stands: pages of plugins as pages, sources as files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

DOCS = Path(__file__).parent
ROOT = DOCS.parent
LINK = re.compile(r"(\]\()(?!https?://|mailto:|#)([^)#\s]+)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SECTIONS = {"Tutorial": "tutorial", "How-to": "how-to", "Reference": "reference", "Explanation": "explanation", "Decisions": "adr"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """All pages of docs/, README.md, and whatever they lead to."""
    theme = [file for file in files if file.abs_src_path is None or DOCS not in Path(file.abs_src_path).parents]
    ours = [_file(config, path) for path in sorted(reached())]
    config.nav = _nav()
    return Files([*theme, *ours])


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """A link to a folder means its README.md, as it does where the repository is read, else a list of what is in it."""
    here = (ROOT / page.file.src_uri).parent
    return LINK.sub(lambda link: link[1] + os.path.relpath(ROOT / _place(_target(here, link[2])), here), markdown)


def reached() -> set[Path]:
    """Every file that can be reached from the front page or lies in docs/."""
    found: set[Path] = set()
    waiting = [ROOT / "README.md", *DOCS.rglob("*.md")]
    while waiting:
        path = waiting.pop()
        if path not in found and path.exists():
            found.add(path)
            waiting += links(path) if path.suffix == ".md" else []
    return found


def links(page: Path) -> Iterator[Path]:
    """Where the relative links of a page lead; what only looks like one, in code, is none."""
    for _, link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        yield _target(page.parent, link)


def index() -> list[Path]:
    """The pages in the order in which docs/README.md names them."""
    return list(dict.fromkeys(links(DOCS / "README.md")))


def _target(folder: Path, link: str) -> Path:
    path = Path(os.path.normpath(folder / link))
    return path / "README.md" if (path / "README.md").is_file() else path


def _file(config: MkDocsConfig, path: Path) -> File:
    if path.is_dir():
        names = sorted(f"{name.name}/" if name.is_dir() else name.name for name in path.iterdir() if name.name[0] not in "._")
        text = "\n".join([f"# {path.name}\n", *(f"- `{name}`" for name in names)])
        return File.generated(config, _place(path), content=text, inclusion=InclusionLevel.NOT_IN_NAV)
    return File.generated(config, _place(path), abs_src_path=str(path))


def _place(path: Path) -> str:
    """Where a file is in the site's sources; a folder is a page."""
    return (path / "index.md" if path.is_dir() else path).relative_to(ROOT).as_posix()


def _nav() -> list[Any]:
    """Every page of docs/ by its folder, in the order of the index; pages from elsewhere below what they belong to."""
    order = {path: number for number, path in enumerate(index())}
    pages = sorted((path for path in reached() if path.suffix == ".md"), key=lambda path: (order.get(path, len(order)), path))
    nav: list[Any] = [{"Cambist": "README.md"}, {"Documentation": "docs/README.md"}]
    nav += [{title: [_place(path) for path in pages if DOCS / folder in path.parents]} for title, folder in SECTIONS.items()]
    return [*nav, {"Repository": [_place(path) for path in pages if DOCS not in path.parents and path != ROOT / "README.md"]}]
