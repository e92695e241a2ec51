"""What a service waits for when it starts again: nothing that it does not serve with, and nothing twice."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

from cambist import heirloom as module
from cambist.heirloom import heirloom, heirlooms
from cambist_hostapp.warm import left, taken, undisturbed

LOADED = """
import sys
from cambist_hostapp.cli import main
assert main.get_command(None, "serve").name == "serve"
print(sorted(sys.modules))
"""
NEEDLESS = (
    "cambist_hostapp.dev",
    "cambist_hostapp.policy",
    "cambist_hostapp.worker",
    "quart",
    "hypercorn",
    "uvicorn",
    "prometheus_client",
    "hypothesis",
    "pytest",
)


def test_what_one_child_made_is_there_for_those_who_are_forked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})
    before = frozenset(sys.modules)
    heirloom("rules", lambda: b"\x00code\xff")
    said = json.loads(json.dumps(left(before - {"json"})))
    assert "json" in said["modules"]
    monkeypatch.setattr(module, "_known", {})
    taken({**said, "modules": ["json", "a module that nobody can load"]})
    assert heirlooms() == {"rules": b"\x00code\xff"}


def test_who_tells_nothing_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})
    taken({"open": True})
    assert not heirlooms()


def test_the_collector_rests_while_something_is_loaded_and_works_afterwards_however_that_went() -> None:
    states = [gc.isenabled()]

    def load() -> None:
        with undisturbed():
            states.append(gc.isenabled())
            raise ImportError

    with pytest.raises(ImportError):
        load()
    assert [*states, gc.isenabled()] == [True, False, True]


def test_the_command_that_serves_loads_neither_other_commands_nor_what_only_workers_need() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "cambist_hostapp.supervisor" in loaded
    assert not [name for name in NEEDLESS if f"'{name}'" in loaded]
