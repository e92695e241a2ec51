"""How long a key waits before it signs, and how long it stays after: what verifiers were promised, and how far clocks differ."""

from __future__ import annotations

from dataclasses import dataclass

from cambist import Unavailable
from cambist.keys import Horizon

from .settings import KeysFileSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In seconds: `lead` from publishing to signing, `retain` from the last signature to the end."""

    lead: float
    retain: float

    @classmethod
    def of(cls, settings: KeysFileSettings, horizon: Horizon) -> Times:
        """Raises Unavailable when a schedule would not leave a new key the time that it has to wait."""
        times = cls(
            lead=horizon.max_age + settings.skew,
            retain=max(settings.retain or 0, horizon.lifetime + settings.skew),
        )
        if settings.rotate_every is not None and settings.rotate_every < 2 * times.lead:
            cause = f"rotate_every must be at least {2 * times.lead:g}: a new key waits {times.lead:g} seconds before it signs"
            raise Unavailable(what="the schedule", cause=cause)
        return times
