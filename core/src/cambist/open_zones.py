"""The declared zones, each opened when it is first asked for."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from .client_assertion import ClientAssertionValidator
from .client_secret import ClientSecretValidator
from .clock import within
from .credential import Role
from .errors import DeadlineExceeded, Refusal, Unavailable, ZoneUnknown
from .fence import is_its_own, place, words
from .guard import Guard
from .hooks import SettingsRefused
from .keys import KeyStore
from .offers import Offers
from .open_zone import OpenZone
from .own_token import OwnTokenValidator
from .plugins import Plugins
from .policy import Policy
from .revocation import Revocations
from .seat import Ground, Seat
from .settings import Settings, suggestion
from .store import Namespaced, Store
from .validator import Seated, Takers, Validator
from .zone import Zone

log = logging.getLogger(__name__)

CORE = "core"
RETRY = 5.0
"""For this many seconds a zone that did not open stays shut."""
OPENING = 10.0
"""How long one offered object may take to open, in seconds."""
CLOSING = 5.0
"""How long one may take to close, in seconds."""


@dataclass(kw_only=True)
class OpenZones:
    """Opens zones on first use. One that cannot open refuses alone."""

    settings: Settings
    plugins: Plugins
    ground: Ground
    keys: KeyStore
    store: Store
    revocations: Revocations
    _open: dict[str, OpenZone] = field(default_factory=dict)
    _offers: dict[str, Offers] = field(default_factory=dict)
    _found: dict[str, Offers] = field(default_factory=dict)
    """What was offered when the service opened, in the zone that opens with it."""
    _shut: dict[str, tuple[float, Refusal]] = field(default_factory=dict)
    _opening: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def named(self, zone_id: str) -> OpenZone:
        if (zone := self._open.get(zone_id)) is not None:
            return zone
        declared = self.settings.zones.get(zone_id)
        if declared is None:
            raise ZoneUnknown(seen=zone_id)
        async with self._opening[zone_id]:  # each its own: one that hangs must not keep the others shut
            if zone_id not in self._open:
                self._open[zone_id] = await self._opened_or_not(declared)
            return self._open[zone_id]

    async def _opened_or_not(self, zone: Zone) -> OpenZone:
        """A zone that did not open is not tried again for a while: a stranger must not make us try at each request."""
        until, refusal = self._shut.get(zone.id, (-math.inf, None))
        if refusal is not None and self.ground.clock() < until:
            raise Unavailable(what=f"zone {zone.id}", cause=refusal.facts.get("cause", refusal.reason)) from refusal
        try:
            return await self._opened(zone)
        except Refusal as error:
            self._shut[zone.id] = (self.ground.clock() + RETRY, error)
            raise

    async def close(self) -> None:
        await self._closing.aclose()

    def problems(self) -> Iterator[str]:
        """Everything that keeps a zone from opening and can be seen without opening it."""
        for zone in self.settings.zones.values():
            offers = self._judged(zone)
            if zone.id == "default":  # it opens at once; what is found for the others would be old when they do
                self._found[zone.id] = offers
            yield from offers.problems

    def _judged(self, zone: Zone) -> Offers:
        """What is offered in a zone, with everything that is wrong with it and can be seen without opening it."""
        offers = self.offered(zone)
        if not offers.problems:
            offers.problems += self._seating_problems(zone, offers)
        return offers

    @property
    def opened(self) -> tuple[str, ...]:
        return tuple(self._open)

    def working(self, zone_id: str) -> list[tuple[str, Any]]:
        """Every object at work in a zone that is open, with the plugin that offered it."""
        return self._offers[zone_id].objects

    def offered(self, zone: Zone, *, policies: bool = True) -> Offers:
        """Ask every enabled plugin of a zone what it offers there; without `policies`, no trouble with one keeps the rest from it."""
        offers = Offers()
        prefix = "" if zone.id == "default" else f"zones.{zone.id}."
        for name, table in zone.plugins.items():
            plugin, path = self.plugins.by_name[name], f"{prefix}plugins.{name}"
            if plugin.keeps and prefix:
                offers.problems.append(f"{path}: {name} serves the whole service; its table stands at the top level")
            if not plugin.judges or not (policies or hasattr(plugin.module, "cambist_validators")):
                continue
            seat = Seat(plugin=name, path=path, table=table, ground=self.ground, shared=self._store_of(zone), within=zone.model_copy())
            try:
                offers.validators += [Seated(name, offer) for offer in self.plugins.offered("cambist_validators", name, seat)]
                if policies:
                    offers.policies += [(name, _named(offer)) for offer in self.plugins.offered("cambist_policies", name, seat)]
            except SettingsRefused:
                pass
            except BaseException as error:
                if not is_its_own(error):
                    raise
                seat.problems.append(f"{path}: plugin {name} cannot open: {told(error)}")
            offers.problems += seat.problems or ([] if plugin.keeps else seat.unclaimed())
        return offers

    def _seating_problems(self, zone: Zone, offers: Offers) -> Iterator[str]:
        where = f"zone {zone.id}"
        try:
            taken = self._takers(zone, offers)[Role.SUBJECT].token_types
            for name in sorted(set(zone.authenticates) - taken):
                yield f"{where}: authenticates: no enabled plugin takes {name}{suggestion(name, sorted(taken))}"
        except (ValueError, Refusal) as error:
            yield f"{where}: {_facts(error)}"
        names = [policy.name for _, policy in offers.policies]
        if twice := next((name for name in names if names.count(name) > 1), None):
            yield f"{where}: policy: {twice!r} is offered by {' and by '.join(p for p, policy in offers.policies if policy.name == twice)}"
        elif zone.policy is None and len(names) != 1:
            yield f"{where}: policy: {'no policy backend is enabled' if not names else 'choose one of ' + ', '.join(names)}"
        elif zone.policy is not None and names.count(zone.policy) != 1:
            yield f"{where}: policy: {zone.policy!r} is not one of the enabled policy backends ({', '.join(names) or 'none'})"

    def _takers(self, zone: Zone, offers: Offers) -> Mapping[Role, Takers]:
        if offers.takers is None:
            offers.takers = self._seated(zone, offers)
        return offers.takers

    def _seated(self, zone: Zone, offers: Offers) -> Mapping[Role, Takers]:
        here = self.settings.location(zone)
        url = here.url if here else self.settings.service.url
        own = OwnTokenValidator(zone, self.keys, self.ground.jwts)
        proofs: list[Validator] = [
            ClientSecretValidator(zone.issuer, zone.applications),
            ClientAssertionValidator(zone, f"{url}/oauth/2/token", self.ground.jwts),
        ]
        judges = Takers.of([Seated(CORE, own), *offers.validators])
        return {
            Role.SUBJECT: judges,
            Role.ACTOR: judges,
            Role.CLIENT: Takers.of(Seated(CORE, proof) for proof in proofs),
        }

    async def _opened(self, zone: Zone) -> OpenZone:
        offers = self._found.pop(zone.id, None) or self._judged(zone)
        if offers.problems:
            raise Unavailable(what=f"zone {zone.id}", cause=offers.problems)
        policy = next(p for _, p in offers.policies if zone.policy in (None, p.name))
        async with AsyncExitStack() as opened:
            for name, thing in offers.objects:
                await self._entered(zone, name, opened, thing)
            self._closing.push_async_exit(opened.pop_all())
        self._offers[zone.id] = offers
        return OpenZone(
            zone=zone,
            guard=self.guard(zone, offers),
            policy=policy,
            keys=self.keys,
            store=self._store_of(zone),
            revocations=self.revocations,
            clock=self.ground.clock,
        )

    def guard(self, zone: Zone, offers: Offers) -> Guard:
        """Raises ValueError when two would take one credential."""
        takers, audiences = self._takers(zone, offers), frozenset({zone.issuer})
        return Guard(takers=takers, audiences=audiences, max_token=zone.max_token, clock=self.ground.clock)

    async def _entered(self, zone: Zone, name: str, opened: AsyncExitStack, thing: object) -> None:
        try:
            await entered(opened, thing, name)
        except BaseException as error:
            if not is_its_own(error):
                raise
            raise Unavailable(what=f"zone {zone.id}", cause=f"plugin {name} cannot open: {told(error)}") from error

    def _store_of(self, zone: Zone) -> Store:
        return Namespaced(self.store, f"zone/{zone.id}")


def _named(policy: Policy) -> Policy:
    """A policy that can be selected, and blamed. Raises TypeError."""
    if type(policy.name) is not str:
        raise TypeError("its name is no text")
    return policy


async def entered(stack: AsyncExitStack, thing: Any, plugin: str = CORE) -> None:
    """What must open and close is an async context manager; the rest is ready as it is. Raises Unavailable, or what the plugin raises."""
    if not (hasattr(thing, "__aenter__") and hasattr(thing, "__aexit__")):
        return
    try:
        await within(OPENING, f"plugin {plugin}", _awaited(thing.__aenter__()))
    except DeadlineExceeded as error:
        raise Unavailable(what=f"plugin {plugin}", cause=f"it did not open within {OPENING:g} seconds") from error
    stack.push_async_callback(_left, plugin, thing)


async def _left(plugin: str, thing: Any) -> None:
    """One that fails to close is told of, and keeps nobody else from closing."""
    try:
        await within(CLOSING, f"plugin {plugin}", _awaited(thing.__aexit__(None, None, None)))
    except BaseException as error:
        if not is_its_own(error):
            raise
        log.error("plugin %s did not close: %s", plugin, place(error))


async def _awaited(work: Awaitable[object]) -> None:
    """A plugin may return any awaitable."""
    await work


def told(error: BaseException) -> str:
    """What kept a plugin from opening, for the operator."""
    return f"{type(error).__name__}: {_facts(error)}"


def _facts(error: BaseException) -> str:
    """A refusal keeps its cause among its facts."""
    facts = error.facts if isinstance(error, Refusal) else {}
    return "; ".join([words(error), *(f"{name}: {fact}" for name, fact in facts.items())])
