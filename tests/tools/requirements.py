"""Prints every third-party requirement of the workspace, so that `make lock` needs no list beside the distributions' own."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "hostapp", "plugins/*", "plugins-contrib/*")


def distributions(root: Path = ROOT) -> dict[Path, dict[str, Any]]:
    """The folder of every distribution, with what its pyproject.toml says."""
    found = sorted(path for pattern in FOLDERS for path in root.glob(f"{pattern}/pyproject.toml"))
    return {path.parent: tomllib.loads(path.read_text("utf-8")) for path in found}


def third_party(root: Path = ROOT) -> Iterator[str]:
    """What the distributions and their extras need, what builds them, and what the workspace's own group needs."""
    for document in distributions(root).values():
        project = document["project"]
        extras = project.get("optional-dependencies", {}).values()
        wanted = [*project.get("dependencies", ()), *(need for extra in extras for need in extra)]
        yield from (need for need in wanted if not is_ours(need))
    yield from tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]


def name(requirement: str) -> str:
    """The name at the start of a requirement, without extras and versions."""
    end = next((i for i, letter in enumerate(requirement) if not (letter.isalnum() or letter in "-_.")), len(requirement))
    return requirement[:end].lower().replace("_", "-")


def is_ours(requirement: str) -> bool:
    """Whether it is a distribution of this workspace: no index is asked for it, where anybody can register its name."""
    return name(requirement).partition("-")[0] == "cambist"


if __name__ == "__main__":
    sys.stdout.write("".join(f"{need}\n" for need in sorted(set(third_party()))))
