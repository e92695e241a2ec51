"""One line of the log for each decision: what was decided, why, and how long it took. Who it was, and what was asked, the ledger says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from cambist import Record, Settings
from cambist.audit import CANCELLED, DONE, PERMITTED, Observer
from cambist.request import ExchangeRequest
from cambist.token_type import KNOWN
from cambist.trace import Trace

from . import logs
from .lines import Lines

MAX_VALUE = 128
"""Characters of one value; with fewer than thirty of them a line is shorter than a pipe takes whole."""
MAX_STEPS = 20


class Decisions:
    """An observer. `refused_only` leaves out what was permitted."""

    required = False

    def __init__(self, lines: Lines, *, refused_only: bool = False, trace_id: Callable[[str], str] | None = None) -> None:
        self._lines, self._refused_only, self._trace_id = lines, refused_only, trace_id
        self._render = logs.rendered()

    def observe(self, record: Record) -> Awaitable[None]:
        if not (self._refused_only and record.outcome == PERMITTED):
            traced = {"trace_id": self._trace_id(record.decision_id)} if self._trace_id else {}
            left_out = {"left_out": self._lines.left_out} if self._lines.left_out else {}
            self._lines.left_out = 0
            self._lines.add(self._render({**line(record), **traced, **left_out}))
        return DONE


def line(record: Record) -> dict[str, Any]:
    """What the log says of a decision: of what a stranger wrote, nothing but names that are declared here."""
    refused = record.outcome not in (PERMITTED, CANCELLED)
    told: dict[str, Any] = {"outcome": "refused" if refused else record.outcome, "reason": record.outcome if refused else None}
    if isinstance(request := record.trace.outcome("request"), ExchangeRequest):
        kind = request.subject.token_type if request.subject else None
        told |= {"dialect": request.dialect.value, "subject_token_type": kind if kind is None or kind in KNOWN else "other"}
    told["zone"] = getattr(getattr(record.trace.outcome("zone"), "zone", None), "id", None)
    told["plugin"] = record.refusal.facts.get("plugin") if record.refusal else None
    return {
        "event": "decision",
        "level": "info",
        "logger": "cambist.decisions",
        "timestamp": datetime.fromtimestamp(record.at, UTC).isoformat().replace("+00:00", "Z"),
        "decision_id": record.decision_id,
        **{name: value[:MAX_VALUE] for name, value in told.items() if isinstance(value, str)},
        **_times(record.trace),
    }


def _times(trace: Trace) -> Mapping[str, Any]:
    """Microseconds: of all, and of each step that took one."""
    if not trace.steps:
        return {}
    whole = (trace.steps[-1].ended - trace.steps[0].started) // 1000
    return {"microseconds": whole, "steps": {step.name: step.microseconds for step in trace.steps[:MAX_STEPS] if step.microseconds}}


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
