"""The front page: its quickstart goes as it says, and its picture of the story is the story."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from habits.pages import blocks
from habits.running import free_port
from habits.workspace import ROOT

PAGE = ROOT / "README.md"
STORY = ROOT / "core" / "src" / "cambist" / "exchange.py"
UNTOLD = {"request", "zone", "targets", "question"}
"""What is noted on the way, and is no step that a reader has to know."""


@pytest.fixture
def make() -> str:
    found = shutil.which("make")
    assert found is not None, "README.md asks for it"
    return found


def test_the_quickstart_shows_what_the_page_shows(make: str) -> None:
    [run, commands] = blocks(PAGE, "sh")
    assert (run, commands) == ("make run\n", ". .venv/bin/activate\ncambist --help\n")
    # As it stands, but that .venv is taken as it is, that it ends by itself, and for the ports, which may be taken here.
    ours = ["-o", ".venv/ready", "ONCE=1", f"ARGS=--port {free_port()} --issuer-port {free_port()}"]
    done = subprocess.run([make, *ours, *run.split()[1:]], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    shown = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", blocks(PAGE, "text")[0].strip()))
    assert re.search(shown, done.stdout, re.DOTALL), done.stdout


def test_the_activated_commands_are_there(tmp_path: Path) -> None:
    script = blocks(PAGE, "sh")[1].replace(".venv/bin/activate", str(ROOT / ".venv" / "bin" / "activate"))
    done = subprocess.run(["/bin/sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "exchange" in done.stdout


def test_the_picture_of_the_story_has_its_steps_in_their_order() -> None:
    told = re.findall(r"^ (?:consider|fulfil|        ) +(\w+) {2,}\S", blocks(PAGE, "text")[1], re.MULTILINE)
    taken = re.findall(r"trace\.(?:step|saw)\(\s*\"(\w+)\"", STORY.read_text("utf-8"))
    assert told == ["narrow" if step == "ruling" else step for step in taken if step not in UNTOLD]
