"""The unit of deploy/ is one that systemd understands and rates well, and the how-to's commands and settings make a service that starts."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest
from habits.machine import Machine
from habits.pages import blocks
from habits.workspace import ROOT

PAGE = ROOT / "docs" / "how-to" / "run-under-systemd.md"
UNIT = ROOT / "deploy" / "cambist.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """As it stands, with a program that is there."""
    program = tmp_path / "cambist"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    unit = tmp_path / "cambist.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/cambist/bin/cambist", str(program)), "utf-8")
    return unit


def test_systemd_understands_every_line_of_the_unit(systemd_analyze: Path, unit: Path) -> None:
    done = _ran(systemd_analyze, "verify", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    unit.write_text(unit.read_text("utf-8").replace("ProtectClock=yes", "ProtectClocks=yes"), "utf-8")
    assert "ProtectClocks" in _ran(systemd_analyze, "verify", unit).stderr


def test_the_unit_is_exposed_no_more_than_the_page_says(systemd_analyze: Path, unit: Path) -> None:
    said = re.search(r"gives it (\d+\.\d)", PAGE.read_text("utf-8"))
    assert said is not None
    done = _ran(systemd_analyze, "security", "--offline=true", f"--threshold={said[1].replace('.', '')}", unit)
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(300)
def test_the_commands_of_the_page_make_a_service_that_starts(tmp_path: Path, curl: Path) -> None:
    machine = Machine(tmp_path, curl)
    [settings] = blocks(PAGE, "toml")
    machine.settle(settings)
    wrote = machine.ran("".join(blocks(PAGE, "sh")))
    assert "there are no keys yet" in wrote
    assert (tmp_path / "etc" / "systemd" / "system" / "cambist.service").read_bytes() == UNIT.read_bytes()
    assert oct((tmp_path / "etc" / "cambist" / "kek").stat().st_mode & 0o777) == "0o640"


def test_the_unit_starts_what_the_page_lays_down() -> None:
    assert _unit()["ExecStart"] == "/opt/cambist/bin/cambist -c /etc/cambist/cambist.toml serve"


def test_what_the_settings_of_the_page_write_is_what_the_unit_lets_them_write() -> None:
    [settings] = blocks(PAGE, "toml")
    places = {"/var/lib": _unit()["StateDirectory"], "/var/log": _unit()["LogsDirectory"]}
    written = re.findall(r'"(/var/[^"]*)"', settings)
    assert len(written) == 3
    assert all(any(path.startswith(f"{parent}/{name}/") for parent, name in places.items()) for path in written)


def _unit() -> dict[str, str]:
    """Its section for the service; of a key that comes twice, the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys have capital letters
    parser.read_string(UNIT.read_text("utf-8"))
    return dict(parser["Service"])


def _ran(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
