"""A plugin that reaches into core as it is imported is found out by what it changed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from habits.workspace import ROOT, distributions

LOOKS = """
import importlib, json, pkgutil, sys
import cambist
for found in pkgutil.walk_packages(cambist.__path__, "cambist."):
    if not found.name.startswith("cambist.testing"):
        importlib.import_module(found.name)
from hostile import untouched
before, seen = untouched.functions(), {}
assert len(before) > 300, len(before)
for name in sys.argv[1:]:
    importlib.import_module(name)
    seen[name], before = untouched.changed(before), untouched.functions()
print(json.dumps(seen))
"""

REACHES: Mapping[str, tuple[str, str]] = {
    "it_replaces_a_function": ("import cambist.exchange as e\ne.consider = lambda *_: None", "cambist.exchange.consider"),
    "it_replaces_a_method": ("from cambist.guard import Guard\nGuard.prove = lambda *_: None", "cambist.guard.Guard.prove"),
    "it_replaces_what_a_function_does": (
        "from cambist.entitlement import Entitlement as E\nE.narrowest.__func__.__code__ = (lambda cls, question, answer: None).__code__",
        "cambist.entitlement.Entitlement.narrowest",
    ),
    "it_replaces_a_property": (
        "from cambist.settings import Installation\nInstallation.url = property(lambda self: '')",
        "cambist.installation.Installation.url",
    ),
    "it_removes_a_check": ("import cambist.guard as g\ndel g._sound", "cambist.guard._sound"),
    "it_does_nothing": ("import cambist", ""),
}


def reached(modules: Iterable[str], *paths: Path) -> Mapping[str, list[str]]:
    """What of core another process finds changed by each of these modules, as it imports one after the other."""
    environment = {"PYTHONPATH": ":".join(map(str, (ROOT / "tests", *paths))), "PATH": ""}
    command = [sys.executable, "-c", LOOKS, *modules]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert found.returncode == 0, found.stderr
    seen: Mapping[str, list[str]] = json.loads(found.stdout)
    return seen


def test_what_reaches_into_core_at_import_is_seen(tmp_path: Path) -> None:
    """U2. In the process there is no wall against it: what is enabled is trusted with everything. So it is looked for in tests."""
    for sentence, (source, _) in REACHES.items():
        (tmp_path / f"{sentence}.py").write_text(source, "utf-8")
    seen = reached(REACHES, tmp_path)
    for sentence, (_, place) in REACHES.items():
        assert (place in seen[sentence]) if place else not seen[sentence], (sentence, seen[sentence])


def test_no_plugin_of_this_repository_reaches_into_core() -> None:
    plugins = [found.module for found in distributions() if found.is_plugin]
    assert plugins
    assert reached(plugins) == {plugin: [] for plugin in plugins}
