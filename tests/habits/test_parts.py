"""Real parts: where they are found, and what happens where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from habits import parts


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty tools folder and an empty PATH, on which nothing is required."""
    monkeypatch.setenv("CAMBIST_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv(parts.REQUIRED, raising=False)
    monkeypatch.delenv(parts.EXCUSED, raising=False)
    return tmp_path


def _program(file: Path, mode: int = 0o755) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(mode)
    return file


def test_a_program_of_the_tools_folder_goes_before_one_on_path(machine: Path) -> None:
    other = _program(machine / "path" / "opa")
    assert parts.program("opa") == other
    own = _program(machine / "tools" / "bin" / "opa")
    assert parts.program("opa") == own


def test_the_tools_folder_has_a_place_of_its_own_where_none_is_named(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_TOOLS", "")
    monkeypatch.setenv("HOME", str(machine))
    assert parts.tools() == machine / ".cache" / "cambist" / "tools"


def test_an_npm_package_is_found_by_its_folder(machine: Path) -> None:
    folder = _program(machine / "tools" / "npm" / "node_modules" / "oidc-provider" / "package.json").parent
    assert parts.npm_package("oidc-provider") == folder


@pytest.mark.parametrize("find", [parts.program, parts.npm_package])
@pytest.mark.parametrize("excused", ["", "curl, opa"])
def test_an_absent_part_is_skipped_by_its_name(machine: Path, find: object, excused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parts.EXCUSED, excused)
    assert callable(find)
    with pytest.raises(pytest.skip.Exception, match=r"^opa is absent: make tools$"):
        find("opa")


def test_a_file_that_cannot_be_executed_is_no_program(machine: Path) -> None:
    _program(machine / "tools" / "bin" / "opa", mode=0o644)
    with pytest.raises(pytest.skip.Exception):
        parts.program("opa")


def test_where_all_parts_are_required_an_absent_one_is_a_failure(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parts.REQUIRED, "1")
    monkeypatch.setenv(parts.EXCUSED, "curl,node")
    with pytest.raises(pytest.fail.Exception, match="opa is absent: make tools"):
        parts.program("opa")


@pytest.mark.parametrize("excused", ["opa", "curl, opa", "opa,"])
def test_an_excused_part_is_skipped_also_where_all_are_required(machine: Path, excused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parts.REQUIRED, "1")
    monkeypatch.setenv(parts.EXCUSED, excused)
    with pytest.raises(pytest.skip.Exception, match="opa is absent"):
        parts.program("opa")


def test_an_empty_excuse_excuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parts.EXCUSED, " , ")
    assert parts.excused() == frozenset()
