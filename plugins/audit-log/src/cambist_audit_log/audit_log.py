"""The observer: one line for each decision, before the answer, and the one that is asked for read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

from cambist import Record, Unavailable

from . import reading
from .line import only_counted, untold, written
from .log_file import LogFile
from .sample import Sample
from .settings import AuditLogSettings
from .syncing import Syncing

log = logging.getLogger(__name__)

WHAT = "the audit log"


class AuditLog:
    """Writes decisions to one file. `required`: what cannot be written is not issued.

    `clock` says seconds since 1970, `background` runs the syncing while the log is open.
    """

    required = True

    def __init__(
        self,
        settings: AuditLogSettings,
        clock: Callable[[], float],
        background: Callable[[str, Coroutine[Any, Any, None]], None],
    ) -> None:
        self._settings, self._clock, self._background = settings, clock, background
        self._sample = Sample(settings.sample, clock)
        self._file: LogFile | None = None
        self._trouble: str | None = None

    async def __aenter__(self) -> Self:
        """Raises Unavailable when the file cannot be appended to."""
        self._syncing = Syncing(self._settings.sync)
        try:
            self._current()
        except OSError as error:
            self._syncing.close()
            raise _unavailable(error) from error
        if self._settings.sync == "group":
            self._background("sync", self._syncing.in_groups())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._sample.left_out:
            try:
                self._append(only_counted(self._clock(), self._sample.left_out))
            except Unavailable:
                log.error("%d decisions that were only counted are in no line of the audit log", self._sample.left_out)
        if self._file is not None:
            await self._syncing.retire(self._file)
        self._syncing.close()

    # ── the seam ────────────────────────────────────────────────────────────────────────────────────────

    async def observe(self, record: Record) -> None:
        """Write one line. Raises Unavailable when it is not with the operating system, or not as safe as the settings say."""
        if not self._sample.admits(record):
            return
        left_out = self._sample.left_out
        file = self._append(self._line(record, left_out))
        self._sample.left_out -= left_out
        try:
            await self._syncing.written(file)
        except OSError as error:
            self._fail(error)
            raise _unavailable(error) from error

    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        """The line of a decision, the newest if there are several. Raises Unavailable when the file cannot be read."""
        try:
            return await asyncio.to_thread(reading.found, self._settings.path, decision_id)
        except OSError as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        """Raises Unavailable when the next line could not be written."""
        if self._trouble is not None:
            self._append(b"")  # an empty line: only what is written shows whether there is space again
            return
        try:
            self._current()
        except OSError as error:
            raise _unavailable(error) from error

    # ── the file ────────────────────────────────────────────────────────────────────────────────────────

    def _line(self, record: Record, left_out: int) -> bytes:
        try:
            return written(record, self._settings.attributes, left_out)
        except Exception as error:
            # Whatever a plugin put into the trace: there is exactly one record for each decision (I12).
            log.error("decision %s cannot be told: %s", record.decision_id, type(error).__name__)
            return untold(record, error, left_out)

    def _append(self, line: bytes) -> LogFile:
        try:
            file = self._current()
            file.append(line)
        except OSError as error:
            self._fail(error)
            raise _unavailable(error) from error
        self._trouble = None
        return file

    def _current(self) -> LogFile:
        """The file that is at the path now: it may have been rotated away, or the disk under it may be another. Raises OSError."""
        path = self._settings.path
        if self._file is not None and not self._file.is_at(path):
            self._syncing.retire(self._file)
            self._file = None
        if self._file is None:
            self._file = LogFile(path, settle=self._settings.sync != "off")
        return self._file

    def _fail(self, error: OSError) -> None:
        """Note what is wrong, and open the file again for the next line: the descriptor may be what is broken."""
        if self._trouble is None:
            log.error("the audit log cannot be written, so nothing is issued: %s", _cause(error))
        self._trouble = _cause(error)
        if self._file is not None:
            self._syncing.retire(self._file)
            self._file = None


def _cause(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(what=WHAT, cause=_cause(error))
