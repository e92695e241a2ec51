"""Finding the plugins that the settings enable, and asking them what they offer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import pluggy
from importlib_metadata import EntryPoint, entry_points, version
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from . import hooks
from .audit import Observer
from .errors import DidNotStart
from .fence import is_its_own, words
from .keys import KeyStore
from .policy import Policy
from .settings import Settings, suggestion
from .store import Store
from .validator import Validator

GROUP = "cambist"
CORE = "cambist"
"""The name of core's own distribution."""
HOOKS = ("cambist_stores", "cambist_keystores", "cambist_observers", "cambist_validators", "cambist_policies")
MAX_OFFERS = 1000
"""Objects that one hook may offer."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One enabled plugin, and the distribution it came from."""

    name: str
    module: Any
    distribution: str
    version: str

    @property
    def keeps(self) -> bool:
        """Whether it offers something that is one for the whole service."""
        return any(hasattr(self.module, hook) for hook in HOOKS[:3])

    @property
    def judges(self) -> bool:
        return any(hasattr(self.module, hook) for hook in HOOKS[3:])


class Plugins:
    """The enabled plugins. Order never matters: each is asked by itself, with a host of its own."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.by_name = {plugin.name: plugin for plugin in plugins}
        self._manager = pluggy.PluginManager("cambist")
        self._manager.add_hookspecs(hooks)
        for plugin in self.by_name.values():
            self._manager.register(plugin.module, plugin.name)
        self._manager.check_pending()  # a misspelt hook is an error, not a plugin that does nothing

    def offered(self, hook: str, name: str, host: hooks.Host) -> Iterator[Any]:
        """What one plugin offers through one hook, checked against its seam. Raises TypeError, or what the plugin raises."""
        others = [p.module for p in self.by_name.values() if p.name != name]
        for offers in self._manager.subset_hook_caller(hook, remove_plugins=others)(host=host):
            for number, offer in enumerate(offers or ()):
                if number == MAX_OFFERS:
                    raise ValueError(f"{hook} offers without end")
                if not isinstance(offer, SEAMS[hook]):
                    raise TypeError(f"{hook} offered a {type(offer).__name__}, which is no {SEAMS[hook].__name__}")
                yield offer


SEAMS: Mapping[str, type] = {
    "cambist_stores": Store,
    "cambist_keystores": KeyStore,
    "cambist_observers": Observer,
    "cambist_validators": Validator,
    "cambist_policies": Policy,
}


@runtime_checkable
class Finder(Protocol):
    """Where plugins come from."""

    def find(self, name: str) -> Plugin:
        """Raises LookupError with a sentence."""


@runtime_checkable
class CanLook(Protocol):
    """A finder that can find out beforehand, without loading anything: those who are forked later need not."""

    def look(self, names: Iterable[str]) -> None:
        """What is wrong with one is said when it is to be found."""


class Installed:
    """Plugins of installed distributions, by entry point, looked for once. What is not enabled is not even imported."""

    def __init__(self) -> None:
        self._fitting: dict[str, tuple[EntryPoint, str, str]] = {}

    def find(self, name: str) -> Plugin:
        entry, distribution, version = self._known(name)
        return Plugin(name, entry.load(), distribution, version)

    def look(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(Exception):
                self._known(name)

    def _known(self, name: str) -> tuple[EntryPoint, str, str]:
        """The one of this name, which was made for us, with its distribution and version. Raises LookupError."""
        if name not in self._fitting:
            entry = self._sole(name)
            _check_made_for_us(entry)
            self._fitting[name] = entry, _distribution(entry), _version(entry)
        return self._fitting[name]

    def _sole(self, name: str) -> EntryPoint:
        found = tuple(entry for entry in self._seen if entry.name == name)
        if not found:
            known = sorted(entry.name for entry in self._seen)
            raise LookupError(f"no installed plugin of this name{suggestion(name, known)}; try: pip install cambist-{name}")
        if len(found) > 1:
            raise LookupError(f"offered by more than one distribution: {', '.join(sorted(_distribution(e) for e in found))}")
        return found[0]

    @cached_property
    def _seen(self) -> tuple[EntryPoint, ...]:
        return self.entries()

    @staticmethod
    def entries() -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=GROUP))


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"


def _version(entry: EntryPoint) -> str:
    return entry.dist.version if entry.dist else "?"


def _check_made_for_us(entry: EntryPoint) -> None:
    """A plugin says by its requirement which versions it was made for; pip alone does not hold it to that (U9).

    Raises LookupError, with both versions, for one of another major version, and for one that does not say.
    """
    ours, who = version(CORE), f"{_distribution(entry)} {_version(entry)}"
    needs = list(_requirements(entry))
    if not needs:
        fitting = f"{CORE}>={hooks.CONTRACT},<{hooks.CONTRACT + 1}"
        raise LookupError(f"{who} does not say which {CORE} it was made for: its distribution must require {fitting}")
    if unmet := [str(need.specifier) for need in needs if not need.specifier.contains(ours, prereleases=True)]:
        raise LookupError(f"{who} was made for {CORE} {' and '.join(unmet)}, and this is {CORE} {ours}")


def _requirements(entry: EntryPoint) -> Iterator[Requirement]:
    """What the distribution of a plugin requires of core, its extras left out."""
    for need in map(Requirement, (entry.dist.requires if entry.dist else None) or ()):
        if canonicalize_name(need.name) == CORE and (need.marker is None or need.marker.evaluate({"extra": ""})):
            yield need


def _is_marked(hook: object) -> bool:
    """Whether pluggy will call it, or there is nothing to call; what it does not call would be a plugin that does nothing."""
    return hook is None or hasattr(hook, "cambist_impl")


def named(settings: Settings) -> Mapping[str, str]:
    """Every plugin that some zone enables, with the path of a table that does."""
    paths: dict[str, str] = {}
    for zone in settings.zones.values():
        for name in zone.plugins:
            paths.setdefault(name, f"plugins.{name}" if zone.id == "default" else f"zones.{zone.id}.plugins.{name}")
    return paths


def enabled(names: Mapping[str, str], finder: Finder) -> Plugins:
    """Load what is enabled; `names` maps each to its TOML path. Raises DidNotStart: an enabled plugin that cannot load keeps it shut."""
    plugins, problems = [], []
    for name, path in names.items():
        try:
            plugin = finder.find(name)
            if not plugin.keeps and not plugin.judges:
                raise LookupError(f"{plugin.distribution} {plugin.version} has none of the hooks {', '.join(HOOKS)}")
            if unmarked := [hook for hook in HOOKS if not _is_marked(getattr(plugin.module, hook, None))]:
                raise LookupError(f"{plugin.distribution} {plugin.version}: write @hookimpl above {' and '.join(unmarked)}")
            plugins.append(plugin)
        except BaseException as error:
            if not is_its_own(error):
                raise
            # A LookupError is the finder's own sentence; its kinds, as KeyError, come out of the plugin.
            broken = "" if type(error) is LookupError else f"plugin {name} cannot be loaded: {type(error).__name__}: "
            problems.append(f"{path}: {broken}{words(error)}")
    if problems:
        raise DidNotStart(problems)
    try:
        return Plugins(plugins)
    except (pluggy.PluginValidationError, ValueError) as error:
        raise DidNotStart([f"plugins: {error}"]) from error
