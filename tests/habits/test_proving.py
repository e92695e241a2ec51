"""The row markers on their way through pytest, with and without workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ALONE: list[str] = []
WORKERS = ["-n", "2"]
HERE = Path(__file__).parents[1]

TESTS = """
import pytest

@pytest.fixture
def opa():
    return "opa"

@pytest.fixture
def gone():
    pytest.skip("gone is absent: make tools")

@pytest.fixture
def fragile():
    yield
    raise RuntimeError("teardown")

@pytest.mark.row("A", real="opa")
@pytest.mark.parametrize("n", [1, 2])
def test_with_a_part(opa, n): pass

@pytest.mark.row("A", real="curl")
def test_that_did_not_ask_for_its_part(): pass

@pytest.mark.row("B", real="gone")
def test_without_its_part(gone): pass

@pytest.mark.row("C")
@pytest.mark.row("D", real="opa")
def test_of_two_rows(opa): pass

@pytest.mark.row("D")
def test_that_fails(): assert False

@pytest.mark.row("E", real="fragile")
def test_that_fails_when_it_ends(fragile): pass

@pytest.mark.row("F")
@pytest.mark.xfail(reason="known")
def test_that_is_known_to_fail(): assert False
"""


class Run(NamedTuple):
    """A finished run of pytest on a small project."""

    code: int
    out: str
    err: str
    page: Path

    @property
    def rows(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])["rows"]
        return found


Project = Callable[..., Run]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Runs pytest on a project with these tests, in which the rows A to G are expected."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    row(id, real=None): a promise\n")
    (tmp_path / "tests" / "rows.toml").write_text("[rows]\n" + "".join(f'{name} = "Promise {name}."\n' for name in "ABCDEFG"))

    def run(tests: str, *options: str) -> Run:
        (tmp_path / "tests" / "test_small.py").write_text(tests)
        page = tmp_path / "page.md"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "habits.proving", "-p", "no:asyncio", "-p", "no:cacheprovider", *options]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HERE)}, capture_output=True, text=True, check=False, timeout=60
        )
        return Run(done.returncode, done.stdout, done.stderr, page)

    return run


@pytest.mark.parametrize("workers", [ALONE, WORKERS], ids=["alone", "workers"])
def test_every_row_is_counted_from_what_its_tests_did(project: Project, workers: list[str]) -> None:
    run = project(TESTS, "--rows", "page.md", *workers)
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert run.rows == {
        "A": {"state": "proved", "real": ["opa"], "tests": 3},
        "B": {"state": "skipped", "real": [], "tests": 1},
        "C": {"state": "proved", "real": [], "tests": 1},
        "D": {"state": "failed", "real": ["opa"], "tests": 2},
        "E": {"state": "failed", "real": [], "tests": 1},
        "F": {"state": "skipped", "real": [], "tests": 1},
        "G": {"state": "none", "real": [], "tests": 0},
    }
    assert "| A | Promise A. | ✓ proved | opa | 3 |" in run.page.read_text()


@pytest.mark.parametrize("workers", [ALONE, WORKERS], ids=["alone", "workers"])
@pytest.mark.parametrize("options", [(), ("--rows", "page.md")], ids=["test", "rows"])
def test_an_unknown_row_stops_the_run_and_is_named(project: Project, workers: list[str], options: tuple[str, ...]) -> None:
    run = project("import pytest\n@pytest.mark.row('Z-typo')\ndef test_it(): pass\ndef test_other(): pass\n", *options, *workers)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert "rows that are not in tests/rows.toml: 'Z-typo' (tests/test_small.py::test_it)" in run.err
    assert "passed" not in run.out
    assert "{" not in run.out
    assert not run.page.exists()


def test_without_the_option_nothing_is_told_and_nothing_written(project: Project) -> None:
    run = project("import pytest\n@pytest.mark.row('A')\ndef test_it(): pass\n")
    assert run.code == pytest.ExitCode.OK
    assert run.out.splitlines()[-1].startswith("1 passed")
    assert not run.page.exists()


def test_a_marker_with_a_misspelt_argument_stops_the_run(project: Project) -> None:
    run = project("import pytest\n@pytest.mark.row('A', reel='opa')\ndef test_it(): pass\n")
    assert run.code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert "reel" in run.out + run.err
