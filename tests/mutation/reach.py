"""Which lines of one file each test reaches, and how long it takes: only those tests can notice a change."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Reach:
    """The lines of a file that were run since the last `begin`."""

    def __init__(self, filename: str) -> None:
        self._filename, self.lines = filename, set[int]()

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.lines = set()
        threading.settrace(self._called)
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._ran(frame, event, _) if frame.f_code.co_filename == self._filename else None

    def _ran(self, frame: FrameType, event: str, _: Any) -> Any:
        self.lines.add(frame.f_lineno)
        return self._ran


@contextmanager
def taking(times: list[float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    times.append(time.monotonic() - began)
