"""What vendors lean on is written down in public-names.txt: nothing goes from there, and nothing comes without being promised."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from habits.pages import blocks
from habits.workspace import ROOT
from msgspec import Struct

import cambist
import cambist.testing
from cambist import CambistDeprecationWarning, hooks
from cambist.plugins import HOOKS
from cambist.testing import contracts

LIST = Path(__file__).with_name("public-names.txt")
MODULES = ("cambist", "cambist.client", "cambist.testing", "cambist.verify")
CAPABILITIES = (hooks.CanPing, hooks.HasCommand, hooks.CanFind)
MADE_BY_US = {"Settings", "Verified", "Running"}
"""Values that nobody but us makes, so that a new field breaks nobody."""


def _names() -> Iterator[str]:
    """Every public name, and what it consists of where others make it, fill it or build on it."""
    for module in MODULES:
        for name in import_module(module).__all__:
            yield f"{module}.{name}"
            yield from (f"{module}.{name}.{member}" for member in _members(getattr(import_module(module), name)))
    yield from (f"cambist.hooks.{hook}" for hook in HOOKS)
    yield from (f"cambist.hooks.{kind.__name__}.{member}" for kind in CAPABILITIES for member in _members(kind))


def _members(kind: object) -> list[str]:
    """The fields of a value, what a seam or a host has, and what is supplied to a contract (what that tests may grow)."""
    if not isinstance(kind, type) or not kind.__module__.startswith("cambist"):
        return []
    if issubclass(kind, Struct):
        return list(kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    is_open = getattr(kind, "_is_protocol", False) or kind.__name__.endswith("Contract")
    return [name for name in vars(kind) if not name.startswith(("_", "test_"))] if is_open else []


def _kinds(module: str) -> Iterator[tuple[str, type]]:
    for name in import_module(module).__all__:
        value = getattr(import_module(module), name)
        if isinstance(value, type):
            yield name, value


def test_the_public_names_are_those_that_are_written_down() -> None:
    found, promised = set(_names()), LIST.read_text("utf-8").split("\n")[:-1]
    gone, new = sorted(set(promised) - found), sorted(found - set(promised))
    assert not gone, f"public names may not go without two minor releases of warning (docs/explanation/compatibility.md): {gone}"
    assert not new, f"what is public is a promise; if it is meant, write it into {LIST.name}: {new}"
    assert promised == sorted(set(promised)), f"{LIST.name} is in order, each name once"


@pytest.mark.parametrize("module", MODULES)
def test_values_are_made_by_keywords_so_that_fields_can_be_added(module: str) -> None:
    values = {name: kind for name, kind in _kinds(module) if dataclasses.is_dataclass(kind) and name not in MADE_BY_US}
    positional = {name for name, kind in values.items() if not all(field.kw_only for field in dataclasses.fields(kind))}
    changeable = {name for name, kind in values.items() if not kind.__dataclass_params__.frozen}  # type: ignore[attr-defined]  # it has
    assert (positional, changeable) == (set(), set())
    structs = {name: kind for name, kind in _kinds(module) if issubclass(kind, Struct) and name not in MADE_BY_US}
    positional = {name for name, kind in structs.items() if kind.__match_args__}
    changeable = {name for name, kind in structs.items() if not kind.__struct_config__.frozen}
    assert (positional, changeable) == (set(), set())


def test_a_hook_takes_its_host_and_nothing_else() -> None:
    assert {tuple(inspect.signature(getattr(hooks, hook)).parameters) for hook in HOOKS} == {("host",)}


def test_the_contract_of_the_hooks_has_the_major_version_of_the_distribution() -> None:
    assert int(cambist.__version__.split(".")[0]) == hooks.CONTRACT


def test_what_will_go_is_told_by_a_warning_of_its_own_that_pytest_shows() -> None:
    assert issubclass(CambistDeprecationWarning, DeprecationWarning)
    with pytest.warns(CambistDeprecationWarning):
        warnings.warn("cambist.Label is cambist.Unverified since 1.4, and goes in 1.6", CambistDeprecationWarning, stacklevel=1)


def test_every_contract_is_public() -> None:
    assert set(contracts.__all__) <= set(cambist.testing.__all__)


def test_the_filter_that_the_page_shows_turns_the_warning_into_a_failure(tmp_path: Path) -> None:
    setting, _ = blocks(ROOT / "docs" / "explanation" / "compatibility.md", "toml")
    (tmp_path / "pyproject.toml").write_text(setting)
    warn = "import cambist, warnings\ndef test_it():\n    warnings.warn('x goes in 1.6', cambist.{kind})\n"
    outcomes = {}
    for kind in ("CambistDeprecationWarning", "__class__ and DeprecationWarning"):
        (tmp_path / "test_it.py").write_text(warn.format(kind=kind))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        outcomes[kind] = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60).returncode
    assert list(outcomes.values()) == [1, 0]
