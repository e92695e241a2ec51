"""The observer: takes a record, writes its line, and reads one back for `cambist explain`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from cambist import Host, Proven, Record, Unavailable
from cambist.caller import Caller
from cambist.errors import Malformed
from cambist.strictjson import NotStrict, loads

from .file import LineFile
from .line import line
from .settings import AuditLogSettings

GROUP = 0.1
"""Seconds after which a line has reached the disk, with `sync = "group"`."""


class AuditLog:
    """The ledger. Nothing is issued without its line: `required`."""

    required = True

    def __init__(self, settings: AuditLogSettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self._file = LineFile(settings.path)
        self._unsynced = False
        self._trouble: Unavailable | None = None
        self._second, self._sampled, self._left_out = 0, 0, 0

    async def __aenter__(self) -> Self:
        self._file.check()
        if self._settings.sync == "group":
            self._host.background("sync", self._sync_groups())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._settings.sync != "off":
            await asyncio.to_thread(self._file.sync)
        self._file.close()

    async def observe(self, record: Record) -> None:
        """Write one line. Raises Unavailable when it could not be written, or earlier ones did not reach the disk."""
        if self._trouble is not None:
            raise self._trouble
        if _is_a_strangers(record) and not self._is_sampled():
            self._left_out += 1
            return
        self._file.append(line(record, self._settings.attributes, self._left_out))
        self._left_out, self._unsynced = 0, True
        if self._settings.sync == "always":
            await asyncio.to_thread(self._file.sync)

    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        return await asyncio.to_thread(self._find, decision_id)

    async def ping(self) -> None:
        if self._trouble is not None:
            raise self._trouble
        self._file.check()

    def _find(self, decision_id: str) -> Mapping[str, Any] | None:
        for told in self._file.lines():
            if decision_id.encode() in told and (record := _parsed(told)) and record.get("decision_id") == decision_id:
                return record
        return None

    def _is_sampled(self) -> bool:
        """Whether this second has room for one more line that a stranger causes."""
        if (second := int(self._host.clock())) != self._second:
            self._second, self._sampled = second, 0
        self._sampled += 1
        return self._sampled <= self._settings.sample

    async def _sync_groups(self) -> None:
        while True:
            await asyncio.sleep(GROUP)
            if self._unsynced or self._trouble is not None:
                self._unsynced = False
                await self._sync_group()

    async def _sync_group(self) -> None:
        try:
            await asyncio.to_thread(self._file.sync)
            self._trouble = None
        except Unavailable as error:
            self._trouble = error


def _is_a_strangers(record: Record) -> bool:
    """A request that could not be read, of somebody who proved nothing: such a one must not fill the disk (decision 27)."""
    proved = (record.trace.outcome(step) for step in ("client", "subject", "actor"))
    return isinstance(record.refusal, Malformed) and not any(isinstance(outcome, Caller | Proven) for outcome in proved)


def _parsed(told: bytes) -> dict[str, Any] | None:
    """A line as a record; None for one that was torn by a full disk."""
    try:
        record = loads(told)
    except NotStrict:
        return None
    return record if isinstance(record, dict) else None
