"""Every folder that can be installed looks like every other, and the contracts of import-linter know it."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from habits.workspace import ROOT, Distribution, distributions, files, folders

ALL = distributions()
OURS = [distribution for distribution in ALL if not str(distribution).startswith("plugins-contrib/")]
PLUGINS = [distribution for distribution in ALL if distribution.is_plugin]
CORE = next(distribution for distribution in ALL if distribution.name == "cambist")


def each(some: Sequence[Distribution]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("distribution", some, ids=str)


def test_every_folder_of_plugins_is_a_distribution() -> None:
    assert [distribution.folder for distribution in ALL] == list(folders())


@each(ALL)
def test_a_distribution_has_a_readme_a_typed_package_and_tests(distribution: Distribution) -> None:
    assert (distribution.folder / "README.md").read_text("utf-8").startswith("# ")
    assert (distribution.package / "py.typed").is_file()
    assert (distribution.package / "__init__.py").is_file()
    assert [folder.name for folder in (distribution.folder / "src").iterdir() if (folder / "__init__.py").exists()] == [distribution.module]
    assert list((distribution.folder / "tests").glob("test_*.py"))


@each(ALL)
def test_a_distribution_is_built_by_hatchling_from_its_one_package(distribution: Distribution) -> None:
    assert distribution.document["build-system"] == {"requires": ["hatchling"], "build-backend": "hatchling.build"}
    assert distribution.document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [f"src/{distribution.module}"]


@each(ALL)
def test_a_distribution_says_what_it_is(distribution: Distribution) -> None:
    project = distribution.project
    assert project["readme"] == "README.md"
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"
    assert project["description"].strip()


@each(PLUGINS)
def test_folder_distribution_module_and_entry_point_of_a_plugin_have_one_name(distribution: Distribution) -> None:
    name = distribution.folder.name
    assert distribution.name == f"cambist-{name}"
    assert distribution.project["entry-points"] == {"cambist": {name: distribution.module}}


@each(OURS)
def test_our_distributions_have_one_version(distribution: Distribution) -> None:
    assert distribution.project["version"] == CORE.project["version"]


def test_the_package_says_the_version_that_its_distribution_has() -> None:
    found = re.search(r'^__version__ = "(.+)"$', (CORE.package / "__init__.py").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == CORE.project["version"]


@each(PLUGINS)
def test_a_plugin_needs_core_of_this_major_version_and_no_other_of_ours(distribution: Distribution) -> None:
    major = int(CORE.project["version"].split(".")[0])
    needs = [need for need in distribution.project["dependencies"] if need.startswith("cambist")]
    assert needs == [f"cambist>={major},<{major + 1}"]


@each(ALL)
def test_what_is_needed_of_ours_exists_here(distribution: Distribution) -> None:
    needs = {re.split(r"[^a-z-]", need)[0] for need in distribution.project["dependencies"]}
    assert {need for need in needs if need.startswith("cambist")} <= {other.name for other in ALL}


# ── the contracts ───────────────────────────────────────────────────────────────────────────────────────

LINTER: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS: list[dict[str, Any]] = LINTER["contracts"]


def _names(value: object) -> Iterator[str]:
    """Every module that a contract names anywhere."""
    if isinstance(value, str):
        yield from re.findall(r"[\w.]+", value)
    elif isinstance(value, list):
        for part in value:
            yield from _names(part)


def test_every_distribution_is_linted() -> None:
    assert LINTER["root_packages"] == sorted(distribution.module for distribution in ALL)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"])
def test_a_contract_that_names_one_plugin_names_all(contract: dict[str, Any]) -> None:
    named = {name for key, value in contract.items() if key != "name" for name in _names(value)}
    plugins = {plugin.module for plugin in PLUGINS}
    assert named & plugins in (set(), plugins)


def test_plugins_stand_beside_each_other_between_the_host_application_and_core() -> None:
    layers = next(contract for contract in CONTRACTS if contract["type"] == "layers" and "containers" not in contract)["layers"]
    assert [layer.split(" | ") for layer in layers] == [["cambist_hostapp"], sorted(plugin.module for plugin in PLUGINS), ["cambist"]]


def test_the_street_of_core_is_exhaustive() -> None:
    (street,) = [contract for contract in CONTRACTS if contract.get("containers") == ["cambist"]]
    assert street["exhaustive"] is True
    assert "exhaustive_ignores" not in street
    assert "ignore_imports" not in street


def test_contracts_are_named_by_sentences() -> None:
    assert [contract["name"] for contract in CONTRACTS if len(contract["name"].split()) < 4] == []


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────


def test_no_two_test_modules_share_a_name() -> None:
    modules = Counter(file.name for file in files() if re.fullmatch(r"test_.*\.py", file.name))
    assert [name for name, times in modules.items() if times > 1] == []


def test_there_is_no_conftest() -> None:
    assert [str(file) for file in files() if file.name == "conftest.py"] == []


def test_only_tests_that_share_something_are_a_package() -> None:
    packages = [file.parent for file in files() if file.name == "__init__.py" and "tests" in file.relative_to(ROOT).parts]
    shared = {file.parent for file in files() if file.suffix == ".py" and not re.match(r"test_|__init__", file.name)}
    assert [str(package) for package in packages if package.parent != ROOT / "tests" or package not in shared] == []
