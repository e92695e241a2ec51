"""The workspace as it lies on disk: its distributions, and the files that belong to it."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("plugins", "plugins-contrib")


@dataclass(frozen=True)
class Distribution:
    """One folder that can be installed, and what its pyproject.toml says."""

    folder: Path
    document: dict[str, Any]

    @property
    def project(self) -> dict[str, Any]:
        project: dict[str, Any] = self.document["project"]
        return project

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def package(self) -> Path:
        return self.folder / "src" / self.module

    @property
    def is_plugin(self) -> bool:
        return self.folder.parent.name in PLUGINS

    def __str__(self) -> str:
        return self.folder.relative_to(ROOT).as_posix()


def folders() -> tuple[Path, ...]:
    """Every folder that has to be a distribution."""
    plugins = [folder for parent in PLUGINS for folder in sorted((ROOT / parent).glob("*")) if folder.is_dir()]
    return (ROOT / "core", ROOT / "hostapp", *plugins)


def distributions() -> tuple[Distribution, ...]:
    """Every folder that is one. The architecture tests hold this against `folders`."""
    found = [folder / "pyproject.toml" for folder in folders() if (folder / "pyproject.toml").is_file()]
    return tuple(Distribution(file.parent, tomllib.loads(file.read_text("utf-8"))) for file in found)


def files() -> tuple[Path, ...]:
    """Every file that belongs to the project: what git has, and what it would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()}))


def sources() -> tuple[Path, ...]:
    """Every Python file among them."""
    return tuple(file for file in files() if file.suffix == ".py")


def definitions(file: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every class and function of a file, nested ones too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
