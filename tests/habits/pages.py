"""Pages that are executed as they stand: their blocks, and a shell in an environment of its own to run them in."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = {"cambist": "cambist_hostapp", "pytest": "pytest"}
"""What a reader has on the command line and is Python, by the module that it is; the rest is found where this runs."""


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of one language, in the order of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def linked(page: Path) -> list[Path]:
    """Where the links of a page into the repository lead, in the order of the page."""
    return [(page.parent / link).resolve() for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))]


@dataclass(frozen=True)
class Shell:
    """Runs scripts in one folder, with the programs of one environment before all others."""

    folder: Path
    programs: Path

    def ran(self, script: str, timeout: float = 100) -> str:
        """What a script wrote. It ends at its first failure, which fails the test; whatever it started ends with it."""
        bash = shutil.which("bash")
        assert bash is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "PIP"))}
        process = subprocess.Popen(
            [bash, "-e", "-c", script],
            cwd=self.folder,
            env={**clean, "PATH": os.pathsep.join([str(self.programs), sysconfig.get_path("scripts"), os.environ["PATH"]])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            wrote, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(process.pid)
            pytest.fail(f"it did not end within {timeout:g} seconds; it wrote:\n{process.communicate()[0]}")
        finally:
            _end(process.pid)
        assert process.returncode == 0, wrote
        return wrote


def shell(folder: Path) -> Shell:
    """An environment in which everything is installed that is installed here, and into which more can be, by `pip` and without an index."""
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python*/site-packages")
    # As a line of code, because of the editable distributions there: a path alone would not be searched for more paths.
    (site / "here.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8")
    for name, module in PROGRAMS.items():
        _write_program(environment / "bin" / name, f'exec "{python}" -m {module} "$@"')
    # pip builds with what is here, and finds what is needed here or not at all.
    pip = f'command=$1; shift\nexec "{python}" -m pip --disable-pip-version-check "$command" --no-index --no-build-isolation "$@"'
    _write_program(environment / "bin" / "pip", pip)
    return Shell(folder, environment / "bin")


def _write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return
