"""What lies in the repository, and what must not be written in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from habits.workspace import ROOT, files

TOP = {"core", "deploy", "docs", "hostapp", "plugins", "plugins-contrib", "policies", "tests"} | {
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"),
    *("Makefile", "mkdocs.yml", "pyproject.toml", "requirements.lock"),
}
# Joined here, so that this file does not name what it looks for.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("goproxy", "io"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("maven", "org"),
        ("jsdelivr", "net"),
        ("unpkg", "com"),
        ("ghcr", "io"),
        ("docker", "io"),
    ]
]
REGISTRY = re.compile("|".join([*map(re.escape, REGISTRIES), r"\bindex-" + r"url\b", "--reg" + r"istry\b", "GOP" + "ROXY="]))
WORKSHOP = re.compile(r"\b" + r"\b|\b".join(["ho" + "use", "farm-" + "studio"]) + r"\b", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|for n" + r"ow)\b")


def _texts() -> Iterator[tuple[Path, int, str]]:
    """Every line of every text file, with the file's path in the repository."""
    for file in files():
        content = file.read_bytes()
        if b"\0" in content or content.startswith(b"\x1f\x8b"):
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            yield file.relative_to(ROOT), number, line


def _where(pattern: re.Pattern[str], *allowed: str) -> list[str]:
    return [f"{file}:{number}: {line.strip()}" for file, number, line in _texts() if pattern.search(line) and str(file) not in allowed]


def test_the_top_level_holds_exactly_what_it_should() -> None:
    found = {file.relative_to(ROOT).parts[0] for file in files()}
    assert {name for name in found if not name.startswith(".")} == TOP
    assert (ROOT / ".ci" / "run").is_file()


def test_no_file_names_a_registry() -> None:
    assert _where(REGISTRY, "Makefile") == []


def test_the_lock_is_made_without_the_address_of_an_index() -> None:
    named = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if REGISTRY.search(line)]
    assert len(named) == 1
    assert "--no-emit-index" in named[0]


def test_nothing_speaks_of_the_workshop() -> None:
    assert _where(WORKSHOP) == []


def test_nothing_is_left_for_later() -> None:
    assert _where(UNFINISHED, "LICENSE", "requirements.lock", "tests/tools/package-lock.json") == []


def test_the_tree_has_no_large_file() -> None:
    assert [str(file.relative_to(ROOT)) for file in files() if file.stat().st_size > 2_000_000] == []


def test_the_tools_are_configured_once() -> None:
    """No distribution has tables of its own for what the workspace says once."""
    theirs = {}
    for file in files():
        if file.name == "pyproject.toml" and file.parent != ROOT:
            theirs[str(file.relative_to(ROOT))] = set(tomllib.loads(file.read_text("utf-8")).get("tool", {})) - {"hatch"}
    assert theirs
    assert not any(theirs.values()), theirs
    assert [
        str(file) for file in files() if file.name in {"pytest.ini", "tox.ini", "setup.cfg", "mypy.ini", ".importlinter", "ruff.toml"}
    ] == []


def test_every_habit_is_documented_and_what_is_documented_is_one() -> None:
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = set(re.findall(r"^\| `make (\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE))
    assert {"run", "test", "check", "rows", "docs", "tools"} <= told <= targets
