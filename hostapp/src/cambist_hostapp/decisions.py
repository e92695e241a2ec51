"""One line of the log for each decision: what was decided, why, and how long it took. Who it was, and what was asked, the ledger says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Literal

import msgspec

from cambist import Record, Settings
from cambist.audit import DONE, PERMITTED, Observer
from cambist.request import ExchangeRequest
from cambist.token_type import KNOWN
from cambist.trace import Trace

from . import logs
from .lines import Lines

MAX_VALUE = 128
"""Characters of one value; with fewer than thirty of them a line is shorter than a pipe takes whole."""
MAX_STEPS = 20


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the log says of a decision: of what a stranger wrote, nothing but names that are declared here."""

    event: Literal["decision"]
    level: Literal["info"]
    logger: Literal["cambist.decisions"]
    timestamp: datetime
    decision_id: str
    outcome: str
    reason: str | None = None
    dialect: str | None = None
    subject_token_type: str | None = None
    zone: str | None = None
    plugin: str | None = None
    microseconds: int | None = None
    """Of all, and in `steps` of each that took one."""
    steps: Mapping[str, int] | None = None
    trace_id: str | None = None
    left_out: int = 0
    """Lines before this one that were not written."""


class Decisions:
    """An observer. `refused_only` leaves out what was permitted."""

    required = False

    def __init__(self, lines: Lines, *, refused_only: bool = False, trace_id: Callable[[str], str] | None = None) -> None:
        self._lines, self._refused_only, self._trace_id = lines, refused_only, trace_id
        self._render = logs.rendered()

    def observe(self, record: Record) -> Awaitable[None]:
        if not (self._refused_only and record.outcome == PERMITTED):
            traced = self._trace_id(record.decision_id) if self._trace_id else None
            left_out, self._lines.left_out = self._lines.left_out, 0
            self._lines.add(self._render(line(record, traced, left_out)))
        return DONE


def line(record: Record, trace_id: str | None = None, left_out: int = 0) -> Line:
    outcome, reason = record.ended
    trace = record.trace
    dialect, token_type = _asked(trace.outcome("request"))
    took, steps = _times(trace)
    return Line(
        event="decision",
        level="info",
        logger="cambist.decisions",
        timestamp=datetime.fromtimestamp(record.at, UTC),
        decision_id=record.decision_id,
        outcome=outcome,
        reason=_short(reason),
        dialect=dialect,
        subject_token_type=token_type,
        zone=_short(getattr(getattr(trace.outcome("zone"), "zone", None), "id", None)),
        plugin=_short(record.refusal.facts.get("plugin")) if record.refusal else None,
        microseconds=took,
        steps=steps,
        trace_id=trace_id,
        left_out=left_out,
    )


def _short(value: object) -> str | None:
    return value[:MAX_VALUE] if isinstance(value, str) else None


def _asked(request: object) -> tuple[str | None, str | None]:
    """The dialect, and the type of the subject's token if it is one that is known."""
    if not isinstance(request, ExchangeRequest):
        return None, None
    kind = request.subject.token_type if request.subject else None
    return request.dialect.value, kind if kind is None or kind in KNOWN else "other"


def _times(trace: Trace) -> tuple[int | None, Mapping[str, int] | None]:
    if not trace.steps:
        return None, None
    whole = (trace.steps[-1].ended - trace.steps[0].started) // 1000
    # Their `microseconds`, without a call for each.
    return whole, {step.name: took for step in trace.steps[:MAX_STEPS] if (took := (step.ended - step.started) // 1000)}


@asynccontextmanager
async def deciding(settings: Settings, *, quiet: bool = False) -> AsyncIterator[tuple[Observer, ...]]:
    """The observer that logs, if the settings want one, for as long as the block lasts."""
    which = "none" if quiet else settings.service.log_decisions
    if which == "none":
        yield ()
        return
    traced = import_module("cambist.tracing.spans").trace_id if settings.service.tracing else None
    async with Lines() as lines:
        yield (Decisions(lines, refused_only=which == "refused", trace_id=traced),)
