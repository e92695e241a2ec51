"""A plugin that fails as it is imported keeps the service shut; one that is not enabled is not imported at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cambist import DidNotStart, Settings, Sts
from cambist.settings import parse
from cambist.testing import ISSUER

AT_IMPORT: Mapping[str, tuple[str, str]] = {
    "it raises": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "it ends the process": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "it lacks something of its own": ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "it looks for what is not there": ("{}['key']", "KeyError: 'key'"),
    "it is not even Python": ("def (", "SyntaxError: "),
    "it cancels": ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
    "it recurses for ever": ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "it raises what cannot be told": (
        "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise Mute",
        "Mute: (it cannot be told)",
    ),
}


def installed(folder: Path, module: str, source: str) -> None:
    """A distribution with one module, which offers the plugin `evil`."""
    (folder / f"{module}.py").write_text(source, "utf-8")
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\nRequires-Dist: cambist>=1,<2\n", "utf-8")
    (about / "entry_points.txt").write_text(f"[cambist]\nevil = {module}\n", "utf-8")


def settings(*plugins: str) -> Settings:
    return parse({"issuer": ISSUER, "plugins": {name: {} for name in plugins}})


@pytest.mark.parametrize("sentence", AT_IMPORT)
async def test_what_fails_at_import_keeps_the_service_shut_and_is_named(
    sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, said = AT_IMPORT[sentence]
    installed(tmp_path, f"cambist_evil_{list(AT_IMPORT).index(sentence)}", source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DidNotStart) as shut:
        async with Sts(settings("evil")):
            raise AssertionError("it opened")
    (problem,) = shut.value.problems
    assert problem.startswith("plugins.evil: plugin evil cannot be loaded: ")
    assert said in problem


async def test_what_is_installed_and_not_enabled_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """U7."""
    installed(tmp_path, "cambist_evil_idle", "raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DidNotStart) as shut:
        async with Sts(settings()):
            raise AssertionError("it opened")
    assert shut.value.problems == ["zone default: policy: no policy backend is enabled"]


async def test_two_distributions_that_offer_one_name_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """U1."""
    for module in ("cambist_evil_one", "cambist_evil_two"):
        installed(tmp_path, module, "raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DidNotStart) as shut:
        async with Sts(settings("evil")):
            raise AssertionError("it opened")
    assert shut.value.problems == ["plugins.evil: offered by more than one distribution: cambist_evil_one, cambist_evil_two"]
