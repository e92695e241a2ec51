"""A zone at work: its guard, policy, keys and store; nothing of another zone can be reached from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .clock import Clock
from .guard import Guard
from .keys import KeyStore
from .policy import Policy
from .revocation import Revocations
from .store import Store
from .zone import Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenZone:
    zone: Zone
    guard: Guard
    policy: Policy
    keys: KeyStore
    store: Store
    revocations: Revocations
    clock: Clock


class Zones(Protocol):
    """The zones that were declared."""

    async def named(self, zone_id: str) -> OpenZone:
        """The zone at work, opened on first use; raises ZoneUnknown, Unavailable when it cannot open."""
