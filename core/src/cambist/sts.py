"""The service: finds its plugins, seats them, opens in order and closes in reverse."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
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
from .keys import EphemeralKeys, Horizon, KeyStore
from .open_zones import CLOSING, OpenZones, entered, told
from .plugins import Finder, Installed, Plugin, Plugins, enabled, named
from .readiness import pinged, running
from .revocation import Revocations
from .seat import Ground, Seat
from .settings import Settings, suggestion
from .shape import Shape
from .store import MemoryStore, Store
from .tracing import spans

log = logging.getLogger(__name__)
T = TypeVar("T")

MEMORY = "memory"
"""The name of core's own store and key store, which are used when no plugin offers one."""


class Sts:
    """A service made of settings. `async with Sts(settings) as sts:` opens it; raises DidNotStart with everything that is wrong."""

    ledger: Ledger
    zones: OpenZones
    keys: KeyStore
    store: Store
    revocations: Revocations

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = time.time,
        finder: Finder | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        observers: tuple[Observer, ...] = (),
        tried: bool = False,  # by another process, which opened a service with these very settings
    ) -> None:
        self.settings, self.clock, self._tried = settings, clock, tried
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
        problems: list[str] = []
        kept = await self._stored(stack, problems)
        signer, self.keys = await self._one(stack, "cambist_keystores", "keys", EphemeralKeys(self.clock), problems)
        observers = [KeptObserver(name, offer) for name, offer in await self._kept_by(stack, "cambist_observers", problems)]
        traced = await spans(stack, problems) if self.settings.service.tracing else ()
        self.ledger = Ledger((*observers, *traced, *self._extra), self.clock)
        self.revocations = Revocations(kept)
        self.zones = self._zones(KeptKeys(signer, self.keys), kept)
        problems += self.zones.problems()
        problems += list(self._unclaimed(problems))
        if problems:
            raise DidNotStart(problems)
        stack.push_async_callback(self.zones.close)
        stack.push_async_callback(self._cancel)  # what runs beside the requests ends before what it works with closes

    def _zones(self, keys: KeyStore, store: Store) -> OpenZones:
        return OpenZones(
            settings=self.settings, plugins=self.plugins, ground=self._ground, keys=keys, store=store, revocations=self.revocations
        )

    @asynccontextmanager
    async def only_judges(self) -> AsyncIterator[OpenZones]:
        """The zones, with nothing open but the store: to look at what judges without a policy or a key of ours. Raises DidNotStart."""
        async with self.only_store() as store:
            self.revocations = Revocations(store)
            yield self._zones(EphemeralKeys(self.clock), store)

    def only_store(self) -> AbstractAsyncContextManager[Store]:
        """The store alone, for administrators: what must be done at once is done also when nothing else opens. Raises DidNotStart."""
        return self._only(self._stored)

    def only_keys(self) -> AbstractAsyncContextManager[KeyStore]:
        """The key store, and the store beneath it: a key is withdrawn also while a policy is in trouble. Raises DidNotStart."""
        return self._only(self._keyed)

    def closed_store(self) -> AbstractAsyncContextManager[Store]:
        """The store as it is offered, not opened: for what looks after it from outside. Raises DidNotStart."""
        return self._only(partial(self._stored, opening=False))

    @asynccontextmanager
    async def _only(self, part: Callable[[AsyncExitStack, list[str]], Awaitable[T]]) -> AsyncIterator[T]:
        async with AsyncExitStack() as stack:
            problems: list[str] = []
            found = await part(stack, problems)
            if problems:
                raise DidNotStart(problems)
            stack.push_async_callback(self._cancel)
            yield found

    async def _stored(self, stack: AsyncExitStack, problems: list[str], *, opening: bool = True) -> Store:
        """Find the plugins, and open what keeps for all the others."""
        self.plugins: Plugins = enabled(named(self.settings), self._finder)
        http = await stack.enter_async_context(Egress(self.settings.service.egress, self._transport))
        issuer = self.settings.service.issuer
        jwts = Jwts(http, self.clock, max_age=http.settings.keys_max_age, kept=http.settings.keys_kept, tried=self._tried)
        horizon = Horizon(max_age=self.settings.service.jwks_max_age, lifetime=max(zone.max_ttl for zone in self.settings.zones.values()))
        self._ground = Ground(http=http, jwts=jwts, clock=self.clock, issuer=issuer, background=self._run, horizon=horizon)
        stack.push_async_callback(self._cancel)
        storing, self.store = await self._one(stack, "cambist_stores", "store", MemoryStore(self.clock), problems, opening=opening)
        return KeptStore(storing, self.store) if opening else self.store

    async def _keyed(self, stack: AsyncExitStack, problems: list[str]) -> KeyStore:
        await self._stored(stack, problems)
        return (await self._one(stack, "cambist_keystores", "keys", EphemeralKeys(self.clock), problems))[1]

    async def _one(
        self, stack: AsyncExitStack, hook: str, setting: str, default: T, problems: list[str], *, opening: bool = True
    ) -> tuple[str, T]:
        """The one that is selected among what keeps, with its plugin's name; core's own where there is none."""
        found = await self._kept_by(stack, hook, problems, opening=opening)
        offers = dict(found)
        names = [name for name, _ in found]
        problems += [f"plugins.{name}: plugin {name} offers more than one for `{setting}`" for name in offers if names.count(name) > 1]
        chosen = getattr(self.settings.service, setting) or (next(iter(offers), MEMORY) if len(offers) < 2 else None)
        if chosen is None:
            problems.append(f"{setting}: choose one of {', '.join(sorted(offers))}")
        elif chosen != MEMORY and chosen not in offers:
            problems.append(f"{setting}: {chosen!r} is not enabled{suggestion(chosen, list(offers))}")
        return (chosen, offers[chosen]) if chosen in offers else (MEMORY, default)

    async def _kept_by(self, stack: AsyncExitStack, hook: str, problems: list[str], *, opening: bool = True) -> list[tuple[str, Any]]:
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
                    if opening:
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

    def warnings(self) -> Mapping[str, str]:
        """What is amiss while every exchange is still decided: an issuer that is down must not take the service down with it."""
        return self._ground.jwts.warnings()

    async def ready(self) -> Mapping[str, str]:
        """Each dependency by name, with `ok` or what is wrong with it; what of one name is well does not hide what is not."""
        things = list(self.kept)
        for zone_id in self.zones.opened:
            things += [(f"zone {zone_id}: {name}", thing) for name, thing in self.zones.working(zone_id)]
        states = [(name, await pinged(thing)) for name, thing in things if isinstance(thing, CanPing)]
        states += [(task.get_name(), running(task)) for task in self._tasks]
        try:
            await self.zones.named("default")
            states.append(("zone default", "ok"))
        except Refusal as refusal:
            states.append(("zone default", str(refusal.facts.get("cause", refusal.reason))))
        return {**dict(states), **{name: state for name, state in states if state != "ok"}}


async def _beside(name: str, work: Coroutine[Any, Any, None]) -> None:
    """What ends a process when it leaves a task, as SystemExit does, is a plugin's fault here like any other."""
    try:
        await work
    except BaseException as error:
        if isinstance(error, Exception) or not is_its_own(error):
            raise
        raise PluginFault(name, error) from error


def load_plugin(name: str, module: Any) -> Plugin:
    """A plugin that is at hand as a module, for tests and for programs that embed the service."""
    return Plugin(name, module, getattr(module, "__name__", name), "0")
