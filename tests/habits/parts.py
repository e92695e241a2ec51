"""Finds the real parts that tests are run against, and says what is to happen where one is absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRED = "CAMBIST_REQUIRE_INTEGRATION"
EXCUSED = "CAMBIST_ABSENT"


def tools() -> Path:
    """The folder that `make tools` fills, outside the tree."""
    named = os.environ.get("CAMBIST_TOOLS")
    return Path(named) if named else Path.home() / ".cache" / "cambist" / "tools"


def program(name: str) -> Path:
    """The program of this name, from the tools folder, else from PATH. Skips or fails the test where there is none."""
    own = tools() / "bin" / name
    if own.is_file() and os.access(own, os.X_OK):
        return own
    found = shutil.which(name)
    return Path(found) if found else absent(name)


def npm_package(name: str) -> Path:
    """The folder of an npm package that `make tools` brought. Skips or fails the test where there is none."""
    folder = tools() / "npm" / "node_modules" / name
    return folder if (folder / "package.json").is_file() else absent(name)


def absent(name: str) -> NoReturn:
    """Skip the test by the part's name; fail it where all parts are required and nobody excused this one.

    CAMBIST_REQUIRE_INTEGRATION=1 requires them; CAMBIST_ABSENT names, separated by commas, those that truly cannot be had.
    """
    said = f"{name} is absent: make tools"
    if os.environ.get(REQUIRED) == "1" and name not in excused():
        pytest.fail(f"{said} ({REQUIRED} is set, and {EXCUSED} does not name it)", pytrace=False)
    pytest.skip(said)


def excused() -> frozenset[str]:
    return frozenset(name.strip() for name in os.environ.get(EXCUSED, "").split(",")) - {""}
