"""Finding plugins: installed is not enabled, what is enabled must load, and each is asked by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart, Host, Policy, ZoneHost, hookimpl
from cambist.plugins import Installed, Plugin, Plugins, enabled
from cambist.settings import parse
from cambist.sts import Sts, load_plugin
from cambist.testing import AllowAll, open_sts

ISSUER = "https://sts.example.test"


class Site:
    """A folder on the path, with distributions that bring plugins."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def install(self, name: str, module: str, body: str, requires: str = "Requires-Dist: cambist<2,>=1\n", entry: str = "") -> None:
        folder = self.root / f"{name.replace('-', '_')}-2.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n{requires}")
        (folder / "entry_points.txt").write_text(f"[cambist]\n{entry or module} = {module}\n")
        (self.root / f"{module}.py").write_text(body)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Site(tmp_path)
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


POLICY = """
from cambist import Permit, hookimpl
class Yes:
    name, revision = "yes", "1"
    async def decide(self, question): return Permit()
@hookimpl
def cambist_policies(host): yield Yes()
"""


def shut(**plugins: Any) -> list[str]:
    with pytest.raises(DidNotStart) as refused:
        enabled({name: f"plugins.{name}" for name in plugins}, Installed())
    return refused.value.problems


async def test_an_installed_plugin_is_found_by_its_entry_point_when_it_is_enabled(site: Site) -> None:
    site.install("cambist-affirm", "affirm", POLICY)
    site.install("cambist-idle", "idle", "raise SystemError('imported')")
    async with Sts(parse({"issuer": ISSUER, "plugins": {"affirm": {}}})) as sts:
        plugin = sts.plugins.by_name["affirm"]
        assert (plugin.distribution, plugin.version, plugin.judges, plugin.keeps) == ("cambist-affirm", "2.1", True, False)
        assert (await sts.zones.named("default")).policy.name == "yes"
    assert "idle" not in sys.modules
    assert {"affirm", "idle"} <= {entry.name for entry in Installed.entries()}


def test_what_is_installed_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With some hundred distributions every look takes some 20 ms, and a service that starts again has to be there in two seconds."""
    looks: list[str] = []
    look = Installed.entries

    def looked() -> Any:
        looks.append("look")
        return look()

    monkeypatch.setattr(Installed, "entries", staticmethod(looked))
    finder = Installed()
    assert [finder.find(name).name for name in ("sqlite", "keys-file", "sqlite")] == ["sqlite", "keys-file", "sqlite"]
    assert looks == ["look"]


def test_what_can_be_found_out_without_loading_is_found_out_beforehand(site: Site) -> None:
    """By a supervisor, for all workers: no code of a plugin runs, and what is wrong with one is said where it is to be found."""
    site.install("cambist-affirm", "affirm", POLICY)
    site.install("cambist-misfit", "misfit", POLICY, "Requires-Dist: cambist<2,>=1.5\n")
    finder = Installed()
    finder.look(["affirm", "misfit", "nobody"])
    assert not {"affirm", "misfit"} & sys.modules.keys()
    (site.root / "cambist_affirm-2.1.dist-info/METADATA").unlink()
    assert finder.find("affirm").version == "2.1"
    with pytest.raises(LookupError, match="was made for cambist"):
        finder.find("misfit")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no licence')", "plugin broken cannot be loaded: RuntimeError: no licence"),
        ("import nothing_of_that_name", "plugin broken cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("{}['x']", "plugin broken cannot be loaded: KeyError: 'x'"),
        ("def", "plugin broken cannot be loaded: SyntaxError: "),
        ("", "cambist-broken 2.1 has none of the hooks cambist_stores, "),
    ],
)
def test_an_enabled_plugin_that_cannot_load_keeps_it_shut_and_says_which_and_why(site: Site, body: str, said: str) -> None:
    site.install("cambist-broken", "broken", body)
    (only,) = shut(broken={})
    assert only.startswith(f"plugins.broken: {said}")


def test_a_plugin_that_is_not_installed_is_told_with_what_would_help(site: Site) -> None:
    site.install("cambist-affirm", "affirm", POLICY)
    (only,) = shut(afirm={})
    assert only == "plugins.afirm: no installed plugin of this name; did you mean affirm?; try: pip install cambist-afirm"


def test_two_distributions_with_one_plugin_are_told_by_name(site: Site) -> None:
    site.install("cambist-a", "affirm", POLICY)
    site.install("cambist-b", "other", POLICY, entry="affirm")
    (only,) = shut(affirm={})
    assert only == "plugins.affirm: offered by more than one distribution: cambist-a, cambist-b"


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ("Requires-Dist: cambist<3,>=2\n", "cambist-affirm 2.1 was made for cambist <3,>=2, and this is cambist "),
        ("Requires-Dist: Cambist ==0.9\n", "cambist-affirm 2.1 was made for cambist ==0.9, and this is cambist "),
        ("", "cambist-affirm 2.1 does not say which cambist it was made for"),
        ("Requires-Dist: cambist>=1,<2; extra == 'x'\n", "cambist-affirm 2.1 does not say which cambist it was made for"),
    ],
)
def test_a_plugin_that_was_made_for_another_core_is_told_with_both_versions(site: Site, requires: str, said: str) -> None:
    site.install("cambist-affirm", "affirm", POLICY, requires)
    (only,) = shut(affirm={})
    assert only.startswith(f"plugins.affirm: {said}")


def test_the_operators_interrupt_is_not_a_plugin_that_cannot_load(site: Site) -> None:
    site.install("cambist-slow", "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        enabled({"slow": "plugins.slow"}, Installed())


def test_every_plugin_that_cannot_load_is_told_at_once(site: Site) -> None:
    site.install("cambist-broken", "broken", "1 / 0")
    assert [line.partition(":")[0] for line in shut(broken={}, missing={})] == ["plugins.broken", "plugins.missing"]


def test_a_misspelt_hook_is_an_error_and_not_a_plugin_that_does_nothing(site: Site) -> None:
    site.install("cambist-typo", "typo", f"{POLICY}\n@hookimpl\ndef cambist_validator(host): yield None\n")
    (only,) = shut(typo={})
    assert "unknown hook 'cambist_validator'" in only


def test_a_hook_with_another_argument_is_told(site: Site) -> None:
    site.install("cambist-typo", "typo", POLICY.replace("(host)", "(zone)"))
    (only,) = shut(typo={})
    assert "zone" in only


# ── what they offer ─────────────────────────────────────────────────────────────────────────────────────


class Offering:
    """A plugin that offers what the test says."""

    def __init__(self, *offers: object, asked: list[str] | None = None, name: str = "") -> None:
        self.offers, self.asked, self.name = offers, asked if asked is not None else [], name

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        self.asked.append(self.name)
        yield from self.offers  # type: ignore[misc]  # what a plugin offers can be anything


def test_each_plugin_is_asked_by_itself() -> None:
    asked: list[str] = []
    plugins = Plugins(load_plugin(name, Offering(AllowAll(), asked=asked, name=name)) for name in ("a", "b", "c"))
    host: Any = None
    assert len(list(plugins.offered("cambist_policies", "b", host))) == 1
    assert asked == ["b"]
    assert list(plugins.offered("cambist_validators", "b", host)) == []


async def test_what_does_not_fit_its_seam_keeps_it_shut_by_name() -> None:
    with pytest.raises(DidNotStart) as refused:
        async with open_sts({}, modules={"odd": Offering(object())}):
            pass
    assert refused.value.problems == [
        "plugins.odd: plugin odd cannot open: TypeError: cambist_policies offered a object, which is no Policy"
    ]


async def test_a_hook_that_offers_without_end_keeps_it_shut() -> None:
    class Endless:
        @hookimpl
        def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
            while True:
                yield AllowAll()

    with pytest.raises(DidNotStart, match="plugin endless cannot open: ValueError: cambist_policies offers without end"):
        async with open_sts({}, modules={"endless": Endless()}):
            pass


async def test_a_hook_that_offers_nothing_offers_nothing() -> None:
    class Silent:
        @hookimpl
        def cambist_policies(self, host: ZoneHost) -> None:
            return None

    with pytest.raises(DidNotStart) as refused:
        async with open_sts({}, modules={"silent": Silent()}):
            pass
    assert refused.value.problems == ["zone default: policy: no policy backend is enabled"]


async def test_a_hook_that_raises_keeps_it_shut_by_name() -> None:
    class Broken:
        @hookimpl
        def cambist_policies(self, host: Host) -> Iterator[Policy]:
            raise OSError("no such device")

    with pytest.raises(DidNotStart) as refused:
        async with open_sts({}, modules={"broken": Broken()}):
            pass
    assert refused.value.problems == ["plugins.broken: plugin broken cannot open: OSError: no such device"]


def test_a_plugin_keeps_or_judges_by_the_hooks_that_it_has() -> None:
    class Keeps:
        cambist_stores = None

    assert (Plugin("a", Keeps, "d", "1").keeps, Plugin("a", Keeps, "d", "1").judges) == (True, False)
    assert (Plugin("a", Offering(), "d", "1").keeps, Plugin("a", Offering(), "d", "1").judges) == (False, True)


def test_a_hook_without_its_mark_is_told_and_not_left_out_in_silence(site: Site) -> None:
    site.install("cambist-affirm", "affirm", POLICY.replace("@hookimpl\n", ""))
    assert shut(affirm={}) == ["plugins.affirm: cambist-affirm 2.1: write @hookimpl above cambist_policies"]
