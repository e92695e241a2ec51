"""Which lines of one file each test reaches, and how long it takes: only those tests can notice a change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from coverage import Coverage


class Reach:
    """The lines of a file that were run while it was watched last."""

    def __init__(self, filename: str) -> None:
        self._filename, self.lines, self.took = filename, set[int](), 0.0
        self._coverage = Coverage(data_file=None, include=[filename], config_file=False)
        self._coverage.set_option("run:disable_warnings", ["no-data-collected", "module-not-measured"])

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._coverage.erase()
        self._coverage.start()
        began = time.monotonic()
        try:
            yield
        finally:
            self.took = time.monotonic() - began
            self._coverage.stop()
            self.lines = set(self._coverage.get_data().lines(self._filename) or ())
