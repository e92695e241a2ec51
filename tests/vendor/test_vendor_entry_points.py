"""What is installed is found by entry points; what was made for another Cambist, or is offered twice, keeps the service shut."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from importlib_metadata import version

from cambist import DidNotStart
from cambist.testing import open_sts

OURS = version("cambist")
PLUGIN = """
from cambist import hookimpl


class Stamps:
    token_types = frozenset({{"{token_type}"}})
    issuers = None

    def recognizes(self, unverified):
        return True

    async def validate(self, credential):
        raise AssertionError("nobody asks")


@hookimpl
def cambist_validators(host):
    yield Stamps()
"""

Installing = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installing]:
    """Puts a distribution where Python looks for them, as pip would: a module, and the metadata that say what it offers and needs."""
    before = set(sys.modules)

    def installed(
        distribution: str, *, plugin: str, needs: tuple[str, ...] = ("cambist>=1,<2",), token_type: str = "urn:stamp", source: str = PLUGIN
    ) -> None:
        folder = tmp_path / distribution
        module = distribution.replace("-", "_")
        metadata = folder / f"{module}-3.4.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source.format(token_type=token_type))
        required = "".join(f"Requires-Dist: {need}\n" for need in needs)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 3.4\n{required}")
        (metadata / "entry_points.txt").write_text(f"[cambist]\n{plugin} = {module}\n")
        monkeypatch.syspath_prepend(str(folder))

    yield installed
    for name in set(sys.modules) - before:
        if name.startswith("cambist_stamp"):
            del sys.modules[name]


async def problems(**plugins: dict[str, Any]) -> str:
    """What keeps a service with these plugins shut; nothing where it opens."""
    try:
        async with open_sts({"plugins": plugins}):
            return ""
    except DidNotStart as error:
        return "\n".join(error.problems)


async def test_a_plugin_is_found_by_its_entry_point_and_at_work(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp")
    async with open_sts({"authenticates": ["urn:stamp"], "plugins": {"stamp": {}}}) as running:
        plugin = running.sts.plugins.by_name["stamp"]
        assert (plugin.distribution, plugin.version) == ("cambist-stamp", "3.4")


@pytest.mark.parametrize(
    "need",
    ["cambist>=1,<2", "cambist", "Cambist>=1", "cambist[web]==1.*", f"cambist>={OURS}", 'cambist>=2; python_version < "3"', "cambist~=1.0"],
)
async def test_a_plugin_that_was_made_for_this_version_is_taken(need: str, install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", needs=("httpx", "cambist>=1", need))
    assert await problems(stamp={}) == ""


@pytest.mark.parametrize("need", ["cambist>=2,<3", "cambist<1", "cambist!=1.0.0", "cambist==0.9.*", "cambist[web]>=1.1"])
async def test_a_plugin_that_was_made_for_another_version_is_refused_in_a_sentence_with_both(need: str, install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", needs=(need,), source="raise AssertionError('it is not even imported')")
    said = await problems(stamp={})
    assert re.fullmatch(
        rf"plugins\.stamp: cambist-stamp 3\.4 was made for cambist [<>=!.*\d,]+, and this is cambist {re.escape(OURS)}", said
    )
    for part in re.findall(r"[<>=!]+[\d.*]+", need):
        assert part in said


@pytest.mark.parametrize("needs", [(), ("httpx",), ("cambist-jwt>=1",), ('cambist>=1; extra == "testing"',)])
async def test_a_plugin_that_does_not_say_what_it_was_made_for_is_refused(needs: tuple[str, ...], install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", needs=needs)
    assert await problems(stamp={}) == (
        "plugins.stamp: cambist-stamp 3.4 does not say which cambist it was made for: its distribution must require cambist>=1,<2"
    )


async def test_a_requirement_that_cannot_be_read_names_the_plugin(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", needs=("cambist>>1",))
    assert (await problems(stamp={})).startswith("plugins.stamp: plugin stamp cannot be loaded: InvalidRequirement: ")


async def test_a_hook_that_nobody_would_call_is_told(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", source=PLUGIN.replace("@hookimpl", ""))
    assert await problems(stamp={}) == "plugins.stamp: cambist-stamp 3.4: write @hookimpl above cambist_validators"


async def test_two_distributions_that_offer_one_name_are_both_named(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp")
    install("cambist-stamps-of-others", plugin="stamp")
    assert await problems(stamp={}) == "plugins.stamp: offered by more than one distribution: cambist-stamp, cambist-stamps-of-others"


async def test_two_plugins_that_take_one_type_are_both_named(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp")
    install("cambist-stamp-too", plugin="stamp-too")
    both: dict[str, dict[str, Any]] = {"stamp": {}, "stamp-too": {}}
    for order in (both, dict(reversed(both.items()))):
        said = await problems(**order)
        assert re.fullmatch(r"zone default: stamp(-too)? and stamp(-too)? both take every urn:stamp", said)
        assert {"stamp", "stamp-too"} <= set(re.split(r"[ :]", said))


async def test_two_plugins_with_types_of_their_own_live_together(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp")
    install("cambist-stamp-too", plugin="stamp-too", token_type="urn:stamp:too")
    assert await problems(**{"stamp": {}, "stamp-too": {}}) == ""


async def test_what_is_installed_and_not_enabled_is_not_even_imported(install: Installing) -> None:
    install("cambist-stamp", plugin="stamp", needs=(), source="raise AssertionError('it is not even imported')")
    install("cambist-stamps-of-others", plugin="stamp", needs=("cambist>=9",))
    assert await problems() == ""
    assert "cambist_stamp" not in sys.modules
