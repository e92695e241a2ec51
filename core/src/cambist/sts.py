"""The service: finds its plugins, seats them, opens in order and closes in reverse."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from .audit import Ledger, Observer
from .clock import Clock
from .egress import Egress
from .errors import DidNotStart, PluginFault, Refusal
from .fence import is_its_own
from .hooks import CanPing, SettingsRefused
from .jwts import Jwts
from .kept import KeptKeys, KeptObserver, KeptStore
from .keys import EphemeralKeys, KeyStore
from .open_zones import CLOSING, OpenZones, entered, told
from .plugins import Finder, Installed, Plugin, Plugins, enabled
from .seat import Ground, Seat
from .settings import Settings, suggestion
from .shape import Shape
from .store import MemoryStore, Store

log = logging.getLogger(__name__)
T = TypeVar("T")

PING_TIMEOUT = 2.0
MEMORY = "memory"
"""The name of core's own store and key store, which are used when no plugin offers one."""


class Sts:
    """A service made of settings. `async with Sts(settings) as sts:` opens it; raises DidNotStart with everything that is wrong."""

    ledger: Ledger
    zones: OpenZones
    keys: KeyStore
    store: Store

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = time.time,
        finder: Finder | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self.settings, self.clock = settings, clock
        self._finder, self._transport, self._extra = finder or Installed(), transport, observers
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.kept: list[tuple[str, Any]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> None:
        self.plugins: Plugins = enabled(_named(self.settings), self._finder)
        http = await stack.enter_async_context(Egress(self.settings.service.egress, self._transport))
        issuer = self.settings.service.issuer
        self._ground = Ground(http=http, jwts=Jwts(http, self.clock), clock=self.clock, issuer=issuer, background=self._run)
        stack.push_async_callback(self._cancel)
        problems: list[str] = []
        storing, self.store = await self._one(stack, "cambist_stores", "store", MemoryStore(self.clock), problems)
        signer, self.keys = await self._one(stack, "cambist_keystores", "keys", EphemeralKeys(self.clock), problems)
        observers = [KeptObserver(name, offer) for name, offer in await self._kept_by(stack, "cambist_observers", problems)]
        self.ledger = Ledger((*observers, *self._extra), self.clock)
        self.zones = OpenZones(
            settings=self.settings,
            plugins=self.plugins,
            ground=self._ground,
            keys=KeptKeys(signer, self.keys),
            store=KeptStore(storing, self.store),
        )
        problems += self.zones.problems()
        problems += list(self._unclaimed(problems))
        if problems:
            raise DidNotStart(problems)
        stack.push_async_callback(self.zones.close)
        stack.push_async_callback(self._cancel)  # what runs beside the requests ends before what it works with closes

    async def _one(self, stack: AsyncExitStack, hook: str, setting: str, default: T, problems: list[str]) -> tuple[str, T]:
        """The one that is selected among what keeps, with its plugin's name; core's own where there is none."""
        found = await self._kept_by(stack, hook, problems)
        offers = dict(found)
        names = [name for name, _ in found]
        problems += [f"plugins.{name}: plugin {name} offers more than one for `{setting}`" for name in offers if names.count(name) > 1]
        chosen = getattr(self.settings.service, setting) or (next(iter(offers), MEMORY) if len(offers) < 2 else None)
        if chosen is None:
            problems.append(f"{setting}: choose one of {', '.join(sorted(offers))}")
        elif chosen != MEMORY and chosen not in offers:
            problems.append(f"{setting}: {chosen!r} is not enabled{suggestion(chosen, list(offers))}")
        return (chosen, offers[chosen]) if chosen in offers else (MEMORY, default)

    async def _kept_by(self, stack: AsyncExitStack, hook: str, problems: list[str]) -> list[tuple[str, Any]]:
        """What all plugins offer through one hook, open and at work."""
        offers: list[tuple[str, Any]] = []
        tables = self.settings.zones["default"].plugins
        for name, plugin in self.plugins.by_name.items():
            if not hasattr(plugin.module, hook) or name not in tables:
                continue
            shared = None if hook == "cambist_stores" else self.store
            seat = Seat(plugin=name, path=f"plugins.{name}", table=tables[name], ground=self._ground, shared=shared)
            try:
                for offer in self.plugins.offered(hook, name, seat):
                    await entered(stack, offer, name)
                    offers.append((name, offer))
                    self.kept.append((name, offer))
            except SettingsRefused:
                pass
            except BaseException as error:
                if not is_its_own(error):
                    raise
                seat.problems.append(f"plugins.{name}: plugin {name} cannot open: {told(error)}")
            problems += seat.problems
        return offers

    def _unclaimed(self, problems: Sequence[str]) -> Iterator[str]:
        """Keys in the tables of what keeps that none of its hooks asked for. What else is wrong with a plugin is told first."""
        for name, table in self.settings.zones["default"].plugins.items():
            path = f"plugins.{name}"
            told = any(problem.startswith((f"{path}:", f"{path}.")) for problem in problems)
            if self.plugins.by_name[name].keeps and path not in self._ground.claims and not told:
                yield from (f"{path}.{key}: plugin {name} takes no settings" for key in table)

    @property
    def claims(self) -> Mapping[str, Shape]:
        """The settings of every plugin, by the TOML path of its table."""
        return self._ground.claims

    # ── beside the requests ─────────────────────────────────────────────────────────────────────────────

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_beside(name, work), name=name)
        self._tasks.append(task)
        task.add_done_callback(lambda done: self._ended(name, work, done))

    def _ended(self, name: str, work: Coroutine[Any, Any, None], task: asyncio.Task[None]) -> None:
        work.close()  # it may have been cancelled before it began
        if not task.cancelled() and (error := task.exception()):
            log.error("%s ended: %s", name, error, exc_info=error)

    async def _cancel(self) -> None:
        running = [task for task in self._tasks if not task.done()]
        for task in running:
            task.cancel()
        if running:
            _, deaf = await asyncio.wait(running, timeout=CLOSING)
            for task in deaf:
                log.error("%s does not end", task.get_name())

    def offered(self, zone_id: str) -> list[tuple[str, Any]]:
        """Every object at work for a zone that is open, with the plugin that offered it: for capabilities."""
        return [*self.kept, *self.zones.working(zone_id)]

    async def ready(self) -> Mapping[str, str]:
        """Each dependency by name, with `ok` or what is wrong with it; what of one name is well does not hide what is not."""
        things = list(self.kept)
        for zone_id in self.zones.opened:
            things += [(f"zone {zone_id}: {name}", thing) for name, thing in self.zones.working(zone_id)]
        states = [(name, await _pinged(thing)) for name, thing in things if isinstance(thing, CanPing)]
        states += [(task.get_name(), _running(task)) for task in self._tasks]
        try:
            await self.zones.named("default")
            states.append(("zone default", "ok"))
        except Refusal as refusal:
            states.append(("zone default", str(refusal.facts.get("cause", refusal.reason))))
        return {**dict(states), **{name: state for name, state in states if state != "ok"}}


def _named(settings: Settings) -> Mapping[str, str]:
    """Every plugin that some zone enables, with the path of a table that does."""
    paths: dict[str, str] = {}
    for zone in settings.zones.values():
        for name in zone.plugins:
            paths.setdefault(name, f"plugins.{name}" if zone.id == "default" else f"zones.{zone.id}.plugins.{name}")
    return paths


def _running(task: asyncio.Task[None]) -> str:
    """What has done its work is well; what failed is not."""
    return "ok" if not task.done() or (not task.cancelled() and task.exception() is None) else "stopped"


async def _beside(name: str, work: Coroutine[Any, Any, None]) -> None:
    """What ends a process when it leaves a task, as SystemExit does, is a plugin's fault here like any other."""
    try:
        await work
    except BaseException as error:
        if isinstance(error, Exception) or not is_its_own(error):
            raise
        raise PluginFault(name, error) from error


async def _pinged(thing: CanPing) -> str:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await thing.ping()
    except TimeoutError:
        return "no answer in time"
    except Refusal as refusal:
        return str(refusal.facts.get("cause", refusal.reason))
    except BaseException as error:
        if not is_its_own(error):
            raise
        return type(error).__name__
    return "ok"


def load_plugin(name: str, module: Any) -> Plugin:
    """A plugin that is at hand as a module, for tests and for programs that embed the service."""
    return Plugin(name, module, getattr(module, "__name__", name), "0")
