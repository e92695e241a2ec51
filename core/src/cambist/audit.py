"""The observer seam, and exactly one record for each decision, written before the answer leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from secrets import token_urlsafe
from typing import Protocol, runtime_checkable

from .clock import Clock
from .credential import Credential
from .errors import Fault, PluginFault, Refusal, Unavailable
from .fence import place, words
from .request import ExchangeRequest
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
            refusal = error if isinstance(error, Refusal) else Fault(cause=_cause(error, trace))
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
        """First those without whose word nothing is issued, so that the others are told how it ended."""
        needed = [observer for observer in self.observers if observer.required]
        unwritten = await _each_told(needed, record)
        if unwritten is not None:
            record = replace(record, outcome=unwritten.reason, refusal=unwritten)
        await _each_told([observer for observer in self.observers if not observer.required], record)
        if unwritten is not None:
            raise unwritten


async def _each_told(observers: Sequence[Observer], record: Record) -> Unavailable | None:
    """Tell each of them, whatever the others do; the last failure, if any."""
    unwritten = None
    for observer in observers:
        try:
            await observer.observe(record)
        except Exception as error:
            log.error("an observer failed: %s", _blamed(observer, error))
            facts = {"what": "the ledger", "cause": type(_source(error)).__name__, **_plugin(error)}
            unwritten = Unavailable(**facts)
            unwritten.decision_id = record.decision_id
            unwritten.__cause__ = error
    return unwritten


def _source(error: Exception) -> BaseException:
    return error.__cause__ if isinstance(error, PluginFault) and error.__cause__ else error


def _plugin(error: Exception) -> dict[str, str]:
    facts = error.facts if isinstance(error, Refusal) else {}
    return {"plugin": str(facts["plugin"])} if "plugin" in facts else {}


def _blamed(observer: Observer, error: Exception) -> str:
    """Whose fault it is, what kind and where, but not what it says: a credential may be in it (I10)."""
    who = next((f"plugin {name}" for name in _plugin(error).values()), type(observer).__name__)
    return f"{who}: {place(_source(error))}"


def _cause(error: BaseException, trace: Trace) -> str:
    """What an operator needs to know of a fault of ours, without the credentials of the request (U6)."""
    text = f"{type(error).__name__}: {words(error)}"
    request = trace.outcome("request")
    if isinstance(request, ExchangeRequest):
        for credential in (request.subject, request.actor, request.client):
            text = _without(credential, text)
    return text


def _without(credential: Credential | None, text: str) -> str:
    return text if credential is None else text.replace(credential.token, "<credential>")
