"""The whole ledger: every segment that should be there, one after the other, up to where the store says that its chain came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from . import names
from .chain import Head
from .checkpoints import Checkpoint
from .directory import held, segments_in
from .findings import Finding, Kind, Report
from .names import SegmentName
from .sealing import End, Keyring
from .segment import is_being_written
from .tombstone import Tombstone
from .walk import Walk, Walked


@dataclass(frozen=True)
class Ledger:
    """A directory of segments, the keys to it, and whose it is. The checkpoints are those of before the reading."""

    directory: Path
    keyring: Keyring
    node: str
    checkpoints: Mapping[str, Checkpoint]

    def verified(self) -> Report:
        """Everything that is wrong with it. It takes time: call it in a thread. Raises OSError."""
        report = Report()
        with held(self.directory, alone=False):
            chains = self.chains()
            for chain, segments in chains.items():
                ChainReading(self, report, chain).through(segments)
            for chain in self.buried():
                if chain not in chains and Tombstone.read(self.directory, chain, self.keyring) is None:
                    report.add(Finding(kind=Kind.ALTERED, text="it is none that this service wrote", file=names.tombstone(chain)))
            self._missing(chains, report)
        if chains and not any(checkpoint.node == self.node for checkpoint in self.checkpoints.values()):
            text = "the store has no checkpoint of it: a chain that was cut at its end, or removed, would not show"
            report.add(Finding(kind=Kind.UNSEALED, text=text))
        return report

    def chains(self) -> dict[str, list[SegmentName]]:
        return {chain: list(found) for chain, found in groupby(segments_in(self.directory), lambda name: name.chain)}

    def buried(self) -> list[str]:
        """The chains that have a tombstone."""
        return sorted(chain for path in self.directory.iterdir() if (chain := names.chain_of_tombstone(path.name)))

    def _missing(self, chains: Mapping[str, object], report: Report) -> None:
        """Chains of which the store knows, and nothing else does."""
        for chain, checkpoint in self.checkpoints.items():
            if chain in chains or checkpoint.node != self.node:
                continue
            tombstone = Tombstone.read(self.directory, chain, self.keyring)
            if tombstone is None or tombstone.last.segment < checkpoint.head.segment:
                text = f"the whole chain was removed: the store noted {checkpoint.head.end.seq} lines of it"
                report.add(Finding(kind=Kind.REMOVED, text=text, file=str(SegmentName(chain, checkpoint.head.segment))))


class ChainReading:
    """One chain, segment by segment."""

    def __init__(self, ledger: Ledger, report: Report, chain: str) -> None:
        self._ledger, self._report, self._chain = ledger, report, chain
        checkpoint = ledger.checkpoints.get(chain)
        self._marked = None if checkpoint is None else checkpoint.head
        buried = Tombstone.read(ledger.directory, chain, ledger.keyring)
        self._floor = Head(0, End()) if buried is None else buried.last
        self._before: Head | None = None

    def through(self, segments: Sequence[SegmentName]) -> None:
        """All of it. Raises OSError."""
        self._report.chains += 1
        living = is_being_written(self._ledger.directory / str(segments[-1]))
        *_, last = [self.one(name) for name in segments]
        self._ended(last, living)

    def genuine(self, name: SegmentName) -> Head | None:
        """Where the chain ends with the next segment, None when that one is not as it was written. Raises OSError."""
        walked = self.one(name)
        end = (self._before or self._floor).end
        marked = self._marked
        cut = marked is not None and marked.segment == name.number and marked.end.seq > end.seq
        return None if self._report.damaged or cut else Head(name.number, walked.end if walked.end.seq else end)

    def one(self, name: SegmentName) -> Walked:
        """One segment, as the one after those that were read. Raises OSError."""
        marked = None if self._marked is None else self._marked.end
        walked = Walk(name, self._ledger.keyring, self._report, marked).through(self._ledger.directory)
        if walked.genuine:
            self._joins(walked)
        if walked.end.seq:
            self._before = Head(name.number, walked.end)
        return walked

    def _joins(self, walked: Walked) -> None:
        """A genuine header says where the segment before it ended: if that one does not, it is that one that was changed."""
        after, before = walked.after or Head(0, End()), self._before
        if before is None:
            if after.segment > self._floor.segment or (after.segment == self._floor.segment and after.end != self._floor.end):
                self._gone(after, walked)
        elif after.segment != before.segment:
            self._gone(after, walked)
        elif after.end != before.end:
            text = f"it ended with line {after.end.seq} of the chain, says {walked.name}, and now ends with line {before.end.seq}"
            self._found(Kind.CUT, text, before.segment)

    def _gone(self, after: Head, walked: Walked) -> None:
        text = f"it should stand before {walked.name}, and is not there; the service did not retire it"
        self._found(Kind.REMOVED, text, after.segment)

    def _ended(self, last: Walked, living: bool) -> None:
        end = self._before or self._floor
        if self._marked is not None and self._marked.end.seq > end.end.seq and self._marked.segment > self._floor.segment:
            text = f"the store noted line {self._marked.end.seq} of the chain, which now ends with line {end.end.seq}"
            self._found(Kind.CUT, text, self._marked.segment)
        if not living and not last.closed:
            half = "; what stands after its last line is none, and was never answered" if last.half else ""
            self._found(Kind.UNCLOSED, f"the process that wrote it did not close it{half}", last.name.number)

    def _found(self, kind: Kind, text: str, segment: int) -> None:
        self._report.add(Finding(kind=kind, text=text, file=str(SegmentName(self._chain, segment))))
