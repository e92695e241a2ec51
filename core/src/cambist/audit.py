"""The observer seam, and exactly one record for each decision, written before the answer leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from .clock import Clock
from .credential import Credential
from .errors import Fault, PluginFault, Refusal, Unavailable
from .fence import place, words
from .random_id import random_id
from .request import ExchangeRequest
from .trace import Trace
from .value import Value, replace

log = logging.getLogger(__name__)

PERMITTED = "permitted"
CANCELLED = "cancelled"
REFUSED = "refused"


class Record(Value, frozen=True, kw_only=True):
    """One decision. `outcome` is `permitted` or the reason code; `refusal` has the facts that the caller was not told."""

    decision_id: str
    outcome: str
    at: float
    trace: Trace
    refusal: Refusal | None = None

    @property
    def ended(self) -> tuple[str, str | None]:
        """`permitted`, `cancelled` or `refused`, and of the last the reason code."""
        return (self.outcome, None) if self.outcome in (PERMITTED, CANCELLED) else (REFUSED, self.outcome)


class _Done:
    """An awaitable that nobody has to wait for."""

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]  # an iterator is all that `await` asks for


DONE = _Done()
"""What `observe` returns when the record is kept already, so that no task has to be made to wait for it."""


@runtime_checkable
class Observer(Protocol):
    """Is told of every decision. With `required`, nothing is issued when it fails."""

    @property
    def required(self) -> bool: ...
    def observe(self, record: Record) -> Awaitable[None]:
        """Take one record; raises Unavailable when it cannot be kept. May be an `async def`, or return DONE."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Opens an entry around everything that happens for one request, reading it included."""

    observers: Sequence[Observer]
    clock: Clock
    _needed: Sequence[Observer] = field(init=False, repr=False)
    _others: Sequence[Observer] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        needed: list[Observer] = []
        others: list[Observer] = []
        for observer in self.observers:  # one by one, and never by comparing: a plugin may offer two that are equal
            (needed if observer.required else others).append(observer)
        object.__setattr__(self, "_needed", needed)
        object.__setattr__(self, "_others", others)

    def entry(self) -> Entry:
        return Entry(self, Trace(random_id(), self.clock()))

    async def tell(self, record: Record) -> None:
        """First those without whose word nothing is issued, so that the others are told how it ended."""
        unwritten, waiting = _told(self._needed, record)
        if waiting:
            # Whoever hangs up meanwhile: what was begun is kept.
            await asyncio.shield(_kept(record, unwritten, waiting, self._others))
            return
        waiting = _told_how_it_ended(record, unwritten, self._others)
        if waiting:
            await asyncio.shield(_waited(waiting, record))
        if unwritten is not None:
            raise unwritten


class Entry:
    """One entry of the ledger. There is no way out of it without a record.

    A class and no generator: it surrounds every request, and costs half as much so.
    """

    __slots__ = ("_ledger", "_trace")

    def __init__(self, ledger: Ledger, trace: Trace) -> None:
        self._ledger, self._trace = ledger, trace

    async def __aenter__(self) -> Trace:
        return self._trace

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if error is None:
            return await self._ledger.tell(self._record(PERMITTED, None))
        # Also for a time-out or a caller who hung up.
        refusal = error if isinstance(error, Refusal) else Fault(cause=_cause(error, self._trace))
        refusal.decision_id = self._trace.decision_id
        await self._ledger.tell(self._record(refusal.reason if isinstance(error, Exception) else CANCELLED, refusal))
        if refusal is not error and isinstance(error, Exception):
            raise refusal from error
        return None

    def _record(self, outcome: str, refusal: Refusal | None) -> Record:
        trace = self._trace
        return Record(decision_id=trace.decision_id, outcome=outcome, at=trace.started_at, trace=trace, refusal=refusal)


Waiting = list[tuple[Observer, Awaitable[None]]]


async def _kept(record: Record, unwritten: Unavailable | None, waiting: Waiting, others: Sequence[Observer]) -> None:
    """Raises what kept one of those from writing without whose word nothing is issued."""
    unwritten = await _waited(waiting, record) or unwritten
    await _waited(_told_how_it_ended(record, unwritten, others), record)
    if unwritten is not None:
        raise unwritten


def _told_how_it_ended(record: Record, unwritten: Unavailable | None, others: Sequence[Observer]) -> Waiting:
    """Tell those whose word is not needed: what is left to be waited for."""
    _, waiting = _told(others, record if unwritten is None else replace(record, outcome=unwritten.reason, refusal=unwritten))
    return waiting


def _told(observers: Sequence[Observer], record: Record) -> tuple[Unavailable | None, Waiting]:
    """Tell each of them, whatever the others do: the last failure, if any, and what is left to be waited for."""
    unwritten: Unavailable | None = None
    waiting: Waiting = []
    for observer in observers:
        try:
            if (rest := observer.observe(record)) is not DONE:
                waiting.append((observer, rest))
        except Exception as error:
            unwritten = _failed(observer, error, record)
    return unwritten, waiting


async def _waited(waiting: Waiting, record: Record) -> Unavailable | None:
    """Wait for each of them; the last failure, if any."""
    unwritten: Unavailable | None = None
    for observer, rest in waiting:
        try:
            await rest
        except Exception as error:
            unwritten = _failed(observer, error, record)
    return unwritten


def _failed(observer: Observer, error: Exception, record: Record) -> Unavailable:
    log.error("an observer failed: %s", _blamed(observer, error))
    unwritten = Unavailable(what="the ledger", cause=type(_source(error)).__name__, **_plugin(error))
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
