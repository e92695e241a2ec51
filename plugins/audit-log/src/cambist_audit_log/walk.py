"""One segment, line by line: each must be the one that its writer put after the one before it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .chain import FORMAT, Head
from .findings import Finding, Kind, Report
from .names import SegmentName
from .reading import document, forwards
from .sealing import End, Keyring, Mac, Sealed


@dataclass(slots=True)
class Walked:
    """What a segment says, as far as its lines are genuine. `after` is what its header names as the end before it."""

    name: SegmentName
    end: End = field(default_factory=End)
    after: Head | None = None
    genuine: bool = False
    closed: bool = False
    half: bool = False
    at: str = ""
    size: int = 0


class Walk:
    """Reads one segment into a report. `marked` is the end that the store noted for the chain, to be met on the way."""

    def __init__(self, name: SegmentName, keyring: Keyring, report: Report, marked: End | None = None) -> None:
        self._name, self._keyring, self._report, self._marked = name, keyring, report, marked
        self._key = Mac(b"")
        self._seen: dict[int, bytes] = {}
        self._missing: list[tuple[int, int]] = []
        self._befores: tuple[bytes, ...] = ()
        self.walked = Walked(name)

    def through(self, directory: Path) -> Walked:
        """Raises OSError."""
        with (directory / str(self._name)).open("rb") as file:
            self.walked.size = os.fstat(file.fileno()).st_size
            for number, line in enumerate(forwards(file, self.walked.size), 1):
                if not line.endswith(b"\n"):
                    self._unended(number, at_the_end=file.tell() == self.walked.size)
                elif number > 1:
                    self._line(number, line[:-1])
                elif not self._header(line):
                    break
        self._report.segments += 1
        return self.walked

    def _unended(self, number: int, *, at_the_end: bool) -> None:
        if at_the_end:
            self.walked.half = True
        else:
            self._found(Kind.ALTERED, "it is longer than any line of the ledger", number)

    # ── the first line ──────────────────────────────────────────────────────────────────────────────────

    def _header(self, raw: bytes) -> bool:
        """Whether the lines below it can be judged."""
        line, told = raw[:-1], document(raw)
        sealed, named = Sealed.parse(line), told.get("segment")
        if told.get("event") == "begin" and isinstance(named, str) and named != str(self._name) and SegmentName.parse(named):
            return self._stop(Kind.FOREIGN, f"it is a copy of {named}")
        if isinstance(form := told.get("format"), int) and form > FORMAT:
            return self._stop(Kind.FOREIGN, f"it has version {form} of the format, and this program knows no version above {FORMAT}")
        key = self._keyring.of(self._name.chain, told.get("check"))
        if key is None:
            known = sealed is not None and told.get("event") == "begin"
            kind = Kind.OTHER_KEY if known else Kind.ALTERED
            return self._stop(kind, "it was written under another KEK, or its header was altered" if known else "its header is none")
        self._key, after = key.mac, _after(told.get("after"))
        before = after.end.mac if after else b""
        if sealed is None or told.get("segment") != str(self._name) or not sealed.follows(before, self._key):
            self._found(Kind.ALTERED, "the header was altered", 1)
            return self._resume(sealed)
        self.walked.after, self.walked.genuine = after, True
        self._take(sealed, told)
        return True

    def _resume(self, sealed: Sealed | None) -> bool:
        """After a line that is not genuine: the next one may still follow what it says of itself."""
        if sealed is None:
            return False
        self.walked.end, self._befores = sealed.end, (sealed.end.mac,)
        return True

    def _stop(self, kind: Kind, text: str) -> bool:
        self._found(kind, text, 1)
        return False

    # ── the lines below it ──────────────────────────────────────────────────────────────────────────────

    def _line(self, number: int, line: bytes) -> None:
        sealed, told = Sealed.parse(line), document(line)
        if sealed is None:
            return self._found(Kind.ALTERED, "this is no line of the ledger", number, told)
        expected = self.walked.end.seq + 1
        if sealed.end.seq == expected and any(sealed.follows(before, self._key) for before in self._befores):
            return self._take(sealed, told)
        self._judge(sealed, expected, number, told)
        return None

    def _take(self, sealed: Sealed, told: Mapping[str, Any]) -> None:
        self.walked.end, self._befores = sealed.end, (sealed.end.mac,)
        self._seen[sealed.end.seq] = sealed.end.mac
        self.walked.closed = told.get("event") == "end"
        self.walked.at = str(told.get("at", ""))
        self._report.lines += 1
        self._report.decisions += "decision_id" in told
        if self._marked is not None and sealed.end.seq == self._marked.seq and sealed.end.mac != self._marked.mac:
            self._found(Kind.ALTERED, "the store noted another line with this number", None, told)

    def _judge(self, sealed: Sealed, expected: int, number: int, told: Mapping[str, Any]) -> None:
        """Name what was done to the ledger; then go on, so that what follows is judged by itself."""
        seq = sealed.end.seq
        if seq in self._seen:
            again = self._seen[seq] == sealed.end.mac
            return self._found(*_SAID["again" if again else "twice"], number, told)
        if any(first <= seq <= last for first, last in self._missing) and seq < expected:
            return self._found(Kind.REORDERED, f"line {seq} of the chain stands after line {expected - 1}", number, told)
        if seq > expected:
            self._missing.append((expected, seq - 1))
            lines = f"line {expected}" if seq == expected + 1 else f"lines {expected} to {seq - 1}"
            self._found(Kind.REMOVED, f"{lines} of the chain should stand before it", number, told)
        else:
            self._found(Kind.ALTERED, "it is not as it was written, or the line before it is not", number, told)
        self._go_on(sealed)
        return None

    def _go_on(self, sealed: Sealed) -> None:
        """What follows may be genuine after the line as it stands, or as it was before somebody changed its MAC alone."""
        mended = tuple(sealed.computed(before, self._key) for before in self._befores)
        self.walked.end, self._befores = sealed.end, (sealed.end.mac, *mended)[:3]
        self._seen[sealed.end.seq] = sealed.end.mac
        self.walked.closed = False

    def _found(self, kind: Kind, text: str, line: int | None, told: Mapping[str, Any] | None = None) -> None:
        decision = (told or {}).get("decision_id")
        named = decision if isinstance(decision, str) else None
        self._report.add(Finding(kind=kind, text=text, file=str(self._name), line=line, decision_id=named))


_SAID = {
    "again": (Kind.DUPLICATED, "the same line stands above"),
    "twice": (Kind.ALTERED, "another line with the same number stands above"),
}


def _after(told: object) -> Head | None:
    """The end before a segment as its header names it; what is no such place is none, and then the header's MAC does not hold."""
    if not isinstance(told, dict):
        return None
    name, seq, mac = SegmentName.parse(str(told.get("segment"))), told.get("seq"), told.get("mac")
    if name is None or not isinstance(seq, int) or not isinstance(mac, str):
        return None
    return Head(name.number, End(seq, mac.encode(errors="replace")))
