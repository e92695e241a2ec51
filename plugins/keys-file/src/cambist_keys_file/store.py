"""The key store `keys-file`: one encrypted file for each zone, in one directory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from cambist import Rotation, SigningKey, Unavailable
from cambist.clock import Clock
from cambist.keys import Horizon

from . import directory
from .key_file import KeyFile
from .ring import Ring
from .settings import KeysFileSettings
from .times import Times
from .zone_keys import ZoneKeys

if TYPE_CHECKING:
    import click

log = logging.getLogger(__name__)

ROTATION_PAUSE = 60.0
"""How often is looked whether a key is due, in seconds; more often when the schedule is short."""


DEFAULT = Horizon()


class FileKeys:
    """A `KeyStore`. Any number of processes on one machine may share a directory."""

    def __init__(self, settings: KeysFileSettings, clock: Clock, horizon: Horizon = DEFAULT) -> None:
        """Raises Unavailable when the times do not fit together."""
        self.settings, self.clock, self.times = settings, clock, Times.of(settings, horizon)
        self._keks = settings.keks
        self._zones: dict[str, ZoneKeys] = {}
        self._overdue: str | None = None

    @classmethod
    def opened(cls, settings: KeysFileSettings, clock: Clock, horizon: Horizon = DEFAULT) -> FileKeys:
        """Raises Unavailable when the directory or a file in it is open to others, or was written under another KEK."""
        keys = cls(settings, clock, horizon)
        directory.prepare(settings.directory)
        for zone_id in keys.zones():
            keys._of(zone_id).check()
        return keys

    async def signing(self, zone_id: str) -> SigningKey:
        """The key that signs for a zone now. The first one is made, and safe on disk, before it is answered."""
        return await self._of(zone_id).signing()

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        """The public keys of a zone, newest first: next, signing, and retired as long as a token of theirs may live."""
        ring = await self._of(zone_id).ring()
        return tuple(key.jwk() for key in reversed(ring.published(self.clock(), self.times.retain)))

    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        """Publish a new key now; it signs when every cache has it. While one is waiting, that one is answered.

        `compromised` withdraws every key of the zone, and signs with a new one at once.
        """
        return await self._of(zone_id).rotate(compromised=compromised)

    async def withdraw(self, zone_id: str, kid: str) -> bool:
        """Publish one key no more, at once; if it is the one that signs, another does. Says whether it was there."""
        return await self._of(zone_id).withdraw(kid)

    async def rewrap(self, zone_id: str) -> bool:
        """Encrypt the file of a zone under `kek`; says whether it was under a former one."""
        return await self._of(zone_id).rewrap()

    async def ring(self, zone_id: str) -> Ring:
        """All keys of a zone with their times, for those who look after them."""
        return await self._of(zone_id).ring()

    def zones(self) -> tuple[str, ...]:
        """The zones that have keys."""
        return tuple(directory.zones_in(self.settings.directory))

    async def ping(self) -> None:
        """Raises Unavailable when the directory cannot be read, is open to others, or a scheduled rotation fails."""
        await asyncio.to_thread(directory.inspect, self.settings.directory)
        if self._overdue is not None:
            raise Unavailable(what="the scheduled rotation", cause=self._overdue)

    def command(self) -> click.Command:
        from .command import keys  # noqa: PLC0415  # click belongs to the command line; a service does without it

        return keys(self)

    async def rotations(self, every: float, *, pause: float | None = None) -> NoReturn:
        """Rotate each zone whose key has signed for `every` seconds, for ever; what fails is tried again, and seen by `ping`."""
        while True:
            await self.rotate_due(every)
            await asyncio.sleep(min(ROTATION_PAUSE, every / 10) if pause is None else pause)

    async def rotate_due(self, every: float) -> None:
        """One round of `rotations`."""
        troubles = []
        for zone_id in await asyncio.to_thread(self._zones_or_none):
            try:
                if await self._of(zone_id).rotate_when_due(every):
                    log.info("the key of zone %s has signed for %s seconds: a new one is published", zone_id, every)
            except Unavailable as error:
                log.warning("the key of zone %s cannot be rotated: %s", zone_id, error.facts.get("cause"))
                troubles.append(f"zone {zone_id}: {error.facts.get('cause')}")
        self._overdue = "; ".join(troubles) or None

    def _zones_or_none(self) -> tuple[str, ...]:
        """A directory that is gone must not end the schedule: `ping` tells of it, and the next round sees it come back."""
        try:
            return self.zones()
        except Unavailable:
            return ()

    def _of(self, zone_id: str) -> ZoneKeys:
        if (zone := self._zones.get(zone_id)) is None:
            # The name becomes a path.
            if not directory.ZONE.fullmatch(zone_id):
                raise Unavailable(what="the key file", cause="a zone cannot have this name")
            file = KeyFile(self.settings.directory, zone_id)
            zone = self._zones[zone_id] = ZoneKeys(file, self.settings.algorithm, self.times, self._keks, self.clock)
        return zone
