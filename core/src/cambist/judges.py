"""What judges in a zone, at work without its policy, its keys and its observers: for who looks at it beside a service that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from .errors import DidNotStart, Refusal
from .guard import Guard
from .open_zones import OpenZones, entered, told
from .validator import Seated
from .zone import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """The validators of a zone, each with the plugin that offered it, and the guard around them."""

    zone: Zone
    seated: Sequence[Seated]
    guard: Guard


@asynccontextmanager
async def judging(zones: OpenZones, zone: Zone) -> AsyncIterator[Judges]:
    """Until the block ends. Raises DidNotStart with everything that is wrong with the zone's plugins."""
    offers = zones.offered(zone, policies=False)
    if offers.problems:
        raise DidNotStart(offers.problems)
    async with AsyncExitStack() as opened:
        try:
            guard = zones.guard(zone, offers)
            for seated in offers.validators:
                await entered(opened, seated.validator, seated.plugin)
        except (ValueError, Refusal) as error:
            raise DidNotStart([f"zone {zone.id}: {told(error)}"]) from error
        yield Judges(zone=zone, seated=offers.validators, guard=guard)
