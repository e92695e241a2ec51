"""How a real part comes to this machine: the program that brings it, its version, and the place where it is made before it is moved."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

APT = Lock()
GO = (1, 21)
"""The first Go that fetches by itself the newer one that a module asks for."""

Version = tuple[int, ...]


class CannotBring(Exception):
    """A part that this machine cannot have, and why."""


def program(name: str, *, package: str, least: Version = (0,), ask: str = "--version") -> tuple[str, Version]:
    """The program on PATH, and its version; where it is missing and we may install it, Debian's. Raises CannotBring."""
    if shutil.which(name) is None:
        install(package, least)
    if (found := shutil.which(name)) is None:
        raise CannotBring(f"needs {name}, which is not on PATH")
    if (version := numbers(ran([found, ask]))) < least:
        raise CannotBring(f"needs {name} {dotted(least)} or newer, {found} is {dotted(version)}")
    return found, version


def install(package: str, least: Version) -> None:
    """Debian's package, where this is Debian, we are root, and its version helps."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quietly = {"DEBIAN_FRONTEND": "noninteractive"}
    with APT:
        ran(["apt-get", "update", "-q"], env=quietly)
        offered = re.search(r"Candidate: (?:\d+:)?(\S+)", ran(["apt-cache", "policy", package]))
        if offered is None or (version := numbers(offered[1])) < least:
            raise CannotBring(f"needs {package} {dotted(least)} or newer, Debian has {dotted(version) if offered else 'none'}")
        ran(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], env=quietly)


def numbers(text: str) -> Version:
    """The first version in a text."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def named(file: Path, name: str) -> str:
    """The version that a manifest asks for, which stands behind the name."""
    return dotted(numbers(file.read_text("utf-8").partition(name)[2]))


def dotted(version: Version) -> str:
    return ".".join(map(str, version)) or "of no version"


def ran(command: list[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command wrote. Raises CannotBring with its last words when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise CannotBring(f"{' '.join(words[:2])} failed with {done.returncode}: {last}")
    return done.stdout


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside the target, so that what is half brought is never found. It goes when the block ends, unless it was moved."""
    stage = Path(tempfile.mkdtemp(prefix=".bringing-", dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def settled(stage: Path, target: Path) -> None:
    """What was staged takes the place of what was there."""
    shutil.rmtree(target, ignore_errors=True)
    stage.rename(target)


def built(folder: Path, target: Path, sources: Path, programs: Mapping[str, str]) -> None:
    """Programs of Go, by name and package, beside the sources that say which, unless they are there already."""
    if holds(target, sources):
        return
    go, _ = program("go", package="golang-go", least=GO, ask="version")
    with staged(folder) as stage:
        shutil.copytree(sources, stage, dirs_exist_ok=True)
        for name, package in programs.items():
            ran([go, "build", "-o", name, package], cwd=stage, env={"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -ldflags=-s"})
        settled(stage, target)


def holds(target: Path, sources: Path) -> bool:
    """Whether a part was made of these very sources, which lie beside it."""
    return all((copy := target / file.name).is_file() and copy.read_bytes() == file.read_bytes() for file in sources.iterdir())
