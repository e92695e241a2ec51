"""The observer seam, and exactly one record for each decision, written before the answer leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Protocol, runtime_checkable

from .clock import Clock
from .errors import Fault, Refusal, Unavailable
from .trace import Trace

log = logging.getLogger(__name__)

PERMITTED = "permitted"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One decision. `outcome` is `permitted` or the reason code; `refusal` has the facts that the caller was not told."""

    decision_id: str
    outcome: str
    at: float
    trace: Trace
    refusal: Refusal | None = None


@runtime_checkable
class Observer(Protocol):
    """Is told of every decision. With `required`, nothing is issued when it fails."""

    @property
    def required(self) -> bool: ...
    async def observe(self, record: Record) -> None:
        """Take one record; raises Unavailable when it cannot be kept."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Opens an entry around everything that happens for one request, reading it included."""

    observers: Sequence[Observer]
    clock: Clock

    @asynccontextmanager
    async def entry(self) -> AsyncIterator[Trace]:
        trace = Trace(token_urlsafe(16), self.clock())
        try:
            yield trace
        except BaseException as error:
            # Also for a time-out or a caller who hung up: there is no way out of here without a record.
            refusal = error if isinstance(error, Refusal) else Fault(cause=f"{type(error).__name__}: {error}")
            refusal.decision_id = trace.decision_id
            await self._tell(trace, refusal.reason if isinstance(error, Exception) else CANCELLED, refusal)
            if refusal is not error and isinstance(error, Exception):
                raise refusal from error
            raise
        await self._tell(trace, PERMITTED, None)

    async def _tell(self, trace: Trace, outcome: str, refusal: Refusal | None) -> None:
        record = Record(decision_id=trace.decision_id, outcome=outcome, at=trace.started_at, trace=trace, refusal=refusal)
        await asyncio.shield(self._observe(record))

    async def _observe(self, record: Record) -> None:
        for observer in self.observers:
            try:
                await observer.observe(record)
            except Exception as error:
                log.exception("an observer failed: %s", type(observer).__name__)
                if observer.required:
                    unwritten = Unavailable(what="the ledger", cause=type(error).__name__)
                    unwritten.decision_id = record.decision_id
                    raise unwritten from error
