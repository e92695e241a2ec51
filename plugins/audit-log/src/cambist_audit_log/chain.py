"""The chain of one process: which line comes next, and in which segment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from .line import VERSION, moment
from .names import SegmentName, new_chain
from .sealing import End, Keyring, sealed
from .segment import Segment
from .settings import AuditLogSettings

FORMAT = 1
"""Of segments, chains and checkpoints. What reads them refuses a newer one."""


class Head(NamedTuple):
    """Where a chain ended: in which segment, and how."""

    segment: int
    end: End


class Chain:
    """Begins with its first line, and goes on from segment to segment; `retire` takes those that are full."""

    def __init__(
        self,
        settings: AuditLogSettings,
        keyring: Keyring,
        clock: Callable[[], float],
        retire: Callable[[Segment], object],
    ) -> None:
        self._settings, self._clock, self._retire = settings, clock, retire
        self.id = new_chain(clock())
        self._key = keyring.new(self.id)
        self._process = os.getpid()
        self._segment: Segment | None = None
        self._before: Head | None = None
        self._number = 0
        self._last, self._end = 0, End()
        self.kept = self.head
        """Where it ended when that was last noted in the store."""

    @property
    def ours(self) -> bool:
        """False in a process that was forked from the one that began it: two must not write one chain."""
        return self._process == os.getpid()

    @property
    def head(self) -> Head:
        """Where it ends."""
        return Head(self._last, self._end)

    def append(self, body: bytes) -> Segment:
        """Write a line, and before the first of a segment its header. Raises OSError, and then nothing was written."""
        segment, end, lines = self._current(), self._end, b""
        if not segment.size:
            header, end = sealed(self._header(segment), end, self._key.mac)
            lines = header + b"\n"
        line, end = sealed(body, end, self._key.mac)
        segment.append(lines + line + b"\n")
        self._last, self._end = segment.name.number, end
        return segment

    def let_go(self) -> Segment | None:
        """The segment that is open, if one is; the next line begins another."""
        segment, self._segment = self._segment, None
        if self._last:
            self._before = self.head
        return segment

    @property
    def segment(self) -> Segment | None:
        return self._segment

    def _current(self) -> Segment:
        if self._segment is not None and not (self._segment.usable and self._has_room(self._segment)):
            self._leave(self._segment)
        if self._segment is None:
            # A number that was tried is not used again: nobody knows what lies there.
            self._number += 1
            settle = self._settings.sync != "off"
            self._segment = Segment(self._settings.directory, SegmentName(self.id, self._number), begun=self._clock(), settle=settle)
        return self._segment

    def _leave(self, segment: Segment) -> None:
        self.let_go()
        segment.forget()
        self._retire(segment)

    def _has_room(self, segment: Segment) -> bool:
        """An empty one has, whatever its age: it is one whose first line the disk did not take."""
        fits = segment.size < self._settings.segment_bytes and self._clock() - segment.begun < self._settings.segment_age
        return fits or not segment.size

    def _header(self, segment: Segment) -> bytes:
        before = self._before
        after = {} if before is None else {"after": _place(SegmentName(self.id, before.segment), before.end)}
        return event("begin", self._clock(), format=FORMAT, segment=str(segment.name), check=self._key.check, **after)


def event(name: str, now: float, /, **more: Any) -> bytes:
    """A line that is no decision."""
    return msgspec.json.encode({"v": VERSION, "event": name, "at": moment(now), **more})


def _place(name: SegmentName, end: End) -> dict[str, Any]:
    return {"segment": str(name), "seq": end.seq, "mac": end.mac.decode()}
