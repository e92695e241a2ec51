"""Deletes what is older than it has to be kept: whole segments, oldest first, and only what was found genuine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from . import names
from .chain import Head
from .checkpoints import Checkpoints
from .directory import held, settle
from .findings import Report
from .names import SegmentName
from .reading import backwards, document, key_of
from .sealing import MAX_SEALED, Keyring
from .segment import is_being_written
from .settings import AuditLogSettings
from .tombstone import Tombstone
from .verifying import ChainReading, Ledger

log = logging.getLogger(__name__)

PAUSE = 60.0
"""How often is looked whether something is to be deleted, in seconds."""

MOURNING = 86_400.0
"""Seconds for which the tombstone of a whole chain stays: its process may live, and go on when the disk takes lines again."""


@dataclass(frozen=True, slots=True)
class Due:
    """A segment that may go, by what its last line says, which is not believed until the segment was verified."""

    written: float
    name: SegmentName
    size: int


class Retention:
    """One round after the other; of several processes one at a time."""

    def __init__(self, settings: AuditLogSettings, keyring: Keyring, checkpoints: Checkpoints, clock: Callable[[], float]) -> None:
        self._settings, self._keyring, self._checkpoints, self._clock = settings, keyring, checkpoints, clock
        self._directory = settings.directory
        self._told: set[str] = set()

    async def round(self, note: Callable[..., None]) -> None:
        """Delete what is due. `note` writes an event into the ledger: what goes is told there before it goes."""
        try:
            with held(self._directory, alone=True, wait=False):
                ledger = Ledger(self._directory, self._keyring, self._checkpoints.node, await self._checkpoints.all())
                for chain, head in (await asyncio.to_thread(self._retirable, ledger)).items():
                    note("retired", chain=chain, upto=str(SegmentName(chain, head.segment)))
                    await asyncio.to_thread(self._retire, chain, head)
                await self._bury(ledger)
        except BlockingIOError:
            pass  # another process is at it, or somebody verifies
        except Exception as error:
            log.error("old segments of the audit log cannot be deleted: %s", error)

    # ── what is due ─────────────────────────────────────────────────────────────────────────────────────

    def _retirable(self, ledger: Ledger) -> Mapping[str, Head]:
        """Of each chain the last segment that goes. In a thread."""
        due = self._due(ledger, sorted(self._candidates(ledger), key=lambda one: (one.written, one.name)))
        heads: dict[str, Head] = {}
        readings: dict[str, ChainReading] = {}
        spoilt: set[str] = set()
        for one in sorted(due, key=lambda one: one.name):
            chain = one.name.chain
            reading = readings.setdefault(chain, ChainReading(ledger, Report(), chain))
            if chain in spoilt or (head := reading.genuine(one.name)) is None:
                spoilt.add(chain)
                self._keep(one.name)
            else:
                heads[chain] = head
        return heads

    def _candidates(self, ledger: Ledger) -> Iterable[Due]:
        """All but those that are being written."""
        for segments in ledger.chains().values():
            for name in segments:
                path = self._directory / str(name)
                if name != segments[-1] or not is_being_written(path):
                    yield Due(_written(path, self._clock()), name, self._counted(ledger, name))

    def _counted(self, ledger: Ledger, name: SegmentName) -> int:
        """Only what the store knows of counts, and no more than we write: else a large file of a stranger would have ours deleted."""
        checkpoint = ledger.checkpoints.get(name.chain)
        if checkpoint is None or name.number > checkpoint.head.segment:
            return 0
        return min((self._directory / str(name)).stat().st_size, self._settings.segment_bytes + 2 * MAX_SEALED)

    def _due(self, ledger: Ledger, oldest_first: list[Due]) -> Iterable[Due]:
        limits, gone, kept = self._settings, 0, set()
        total = sum(self._counted(ledger, name) for segments in ledger.chains().values() for name in segments)
        for one in oldest_first:
            too_old = limits.keep_age is not None and self._clock() - one.written > limits.keep_age
            too_much = limits.keep_bytes is not None and one.size > 0 and total - gone > limits.keep_bytes
            if (too_old or too_much) and one.name.chain not in kept:
                gone += one.size
                yield one
            else:
                kept.add(one.name.chain)  # a chain loses its oldest segments, never one from its middle

    def _keep(self, name: SegmentName) -> None:
        if str(name) not in self._told:
            self._told.add(str(name))
            log.error("%s is not as it was written, and is not deleted: ask `cambist audit verify`", name)

    # ── how it goes ─────────────────────────────────────────────────────────────────────────────────────

    def _retire(self, chain: str, head: Head) -> None:
        """First it is signed, then done: whoever is killed in between has deleted nothing that nobody signed. In a thread."""
        segments = [name for name in Ledger(self._directory, self._keyring, "", {}).chains()[chain] if name.number <= head.segment]
        with (self._directory / str(segments[-1])).open("rb") as file:
            key = key_of(file, segments[-1], self._keyring)
        if key is not None:
            Tombstone(chain, head).write(self._directory, key, self._clock())
            for name in segments:
                (self._directory / str(name)).unlink()
            settle(self._directory)

    async def _bury(self, ledger: Ledger) -> None:
        """Of a chain that is gone altogether nothing has to stay: first the store forgets it, then its tombstone goes."""
        for chain in set(ledger.buried()) - set(ledger.chains()):
            buried = Tombstone.read(self._directory, chain, self._keyring)
            if buried is not None and self._clock() - _seconds(buried.at, self._clock()) > MOURNING:
                await self._checkpoints.forget(chain)
                (self._directory / names.tombstone(chain)).unlink()


def _written(path: Path, now: float) -> float:
    """When the last line that can be read was written; one that says nothing of the kind is as of now."""
    with path.open("rb") as file:
        for line in backwards(file):
            at = document(line).get("at")
            if isinstance(at, str):
                return _seconds(at, now)
    return now


def _seconds(at: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return otherwise
