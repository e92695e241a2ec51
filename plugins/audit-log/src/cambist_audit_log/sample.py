"""How many lines a stranger may cause: what cannot be read is counted, and only some of it written."""

from __future__ import annotations

from collections.abc import Callable

from cambist import Proven, Record
from cambist.caller import Caller
from cambist.errors import Malformed


class Sample:
    """Admits so many each second of the clock; `left_out` counts the others until they were told."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._second, self._admitted = 0, 0
        self.left_out = 0

    def admits(self, record: Record) -> bool:
        """Whether this decision is written. Only what anybody can send, without any credential, may be left out."""
        if not isinstance(record.refusal, Malformed) or _is_proved(record):
            return True
        if (second := int(self._clock())) != self._second:
            self._second, self._admitted = second, 0
        if self._admitted >= self._limit:
            self.left_out += 1
            return False
        self._admitted += 1
        return True


def _is_proved(record: Record) -> bool:
    return isinstance(record.trace.outcome("client"), Caller) or isinstance(record.trace.outcome("subject"), Proven)
