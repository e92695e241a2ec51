"""One span for each decision, with the steps of the story that take time as its children, written when it has been made.

The requests are not touched: everything a span says stands in the finished trace, and an exporter that is down costs spans only.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import threading
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self

from importlib_metadata import version
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context

from ..audit import DONE, Record
from ..errors import Fault, Refusal, Unavailable
from ..request import ExchangeRequest
from ..token_type import KNOWN
from ..trace import Step

log = logging.getLogger(__name__)

PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PATIENCE = 3.0
"""Seconds that the last spans may take to be sent when the service closes."""
MAX_VALUE = 128
"""Characters of one attribute."""

Attributes = dict[str, str]


class DecisionIds(RandomIdGenerator):  # type: ignore[misc]  # mypy sees nothing of OpenTelemetry
    """Whose trace the caller did not begin, its id is the decision's: both are 128 random bits, so each tells the other."""

    decision_id = ""

    def generate_trace_id(self) -> int:
        return _number(self.decision_id) or super().generate_trace_id()


class Spans:
    """An observer. `exporter` is told to stop when the service has waited long enough for it."""

    required = False

    def __init__(self, processor: SpanProcessor, exporter: SpanExporter | None = None) -> None:
        self._ids, self._exporter = DecisionIds(), exporter
        self._provider = TracerProvider(resource=_resource(), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("cambist", version("cambist"))

    @classmethod
    def exported(cls) -> Spans:
        """Sent by OTLP over HTTP, in batches, by a thread; its queue is bounded. Raises ValueError when a variable cannot be followed."""
        protocol = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), "http/protobuf")
        if protocol != "http/protobuf":
            raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; only http/protobuf is spoken")
        exporter = OTLPSpanExporter()
        return cls(BatchSpanProcessor(exporter), exporter)

    def observe(self, record: Record) -> Awaitable[None]:
        steps, began = record.trace.steps, int(record.at * 1e9)
        offset = began - steps[0].started if steps else 0
        self._ids.decision_id = record.decision_id
        span = self._tracer.start_span("exchange", kind=SpanKind.SERVER, attributes=_attributes(record), start_time=began)
        if span.is_recording():
            within = set_span_in_context(span)
            for step in (step for step in steps if step.ended != step.started):  # what was only seen took no time
                child = self._tracer.start_span(step.name, within, attributes=_came(step), start_time=step.started + offset)
                _blame(child, step.outcome)
                child.end(step.ended + offset)
        _blame(span, record.refusal)
        span.end(steps[-1].ended + offset if steps else began)
        return DONE

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        """Send what is left, but keep nobody waiting for a receiver that is down."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # by then the loop may be gone
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=shut, daemon=True).start()
        try:
            async with asyncio.timeout(PATIENCE):
                await sent.wait()
        except TimeoutError:
            log.warning("the last spans could not be sent")
            if self._exporter is not None:
                self._exporter.shutdown()


def trace_id(decision_id: str) -> str:
    """The id of the trace to which a decision belongs, in hexadecimal: the caller's, else the decision's own."""
    parent = get_current_span().get_span_context()
    return f"{parent.trace_id if parent.is_valid else _number(decision_id):032x}"


def _number(decision_id: str) -> int:
    """0 for what is no decision id of ours."""
    try:
        raw = base64.b64decode(f"{decision_id}==", altchars=b"-_", validate=True)
    except ValueError:
        return 0
    return int.from_bytes(raw) if len(raw) == 16 else 0


def _resource() -> Resource:
    found = Resource.create()
    named = str(found.attributes.get(SERVICE_NAME, ""))
    return found.merge(Resource({SERVICE_NAME: "cambist"})) if named.startswith("unknown_service") else found


def _attributes(record: Record) -> Attributes:
    """Of what a stranger wrote nothing but names that are declared here."""
    outcome, reason = record.ended
    told: dict[str, Any] = {"decision_id": record.decision_id, "outcome": outcome, "reason": reason}
    if isinstance(request := record.trace.outcome("request"), ExchangeRequest):
        kind = request.subject.token_type if request.subject else "none"
        told |= {"dialect": request.dialect.value, "subject_token_type": kind if kind in KNOWN or kind == "none" else "other"}
    zone = record.trace.outcome("zone")
    told |= {"zone": getattr(getattr(zone, "zone", None), "id", None), "policy": getattr(getattr(zone, "policy", None), "name", None)}
    if record.refusal is not None:
        told["plugin"] = record.refusal.facts.get("plugin")
    return {f"cambist.{name}": value[:MAX_VALUE] for name, value in told.items() if isinstance(value, str)}


def _came(step: Step) -> Attributes:
    outcome = step.outcome
    if isinstance(outcome, Refusal):
        return {"cambist.outcome": "refused", "cambist.reason": str(outcome.reason)[:MAX_VALUE]}
    if isinstance(outcome, BaseException):
        return {"cambist.outcome": "failed", "cambist.reason": type(outcome).__name__[:MAX_VALUE]}  # its words may hold anything
    return {}


def _blame(span: Span, outcome: object) -> None:
    """An error is ours, or of something that we need; to say no is none."""
    if isinstance(outcome, Fault | Unavailable) or (isinstance(outcome, BaseException) and not isinstance(outcome, Refusal)):
        reason = str(outcome.reason) if isinstance(outcome, Refusal) else type(outcome).__name__
        span.set_attribute("error.type", reason[:MAX_VALUE])
        span.set_status(Status(StatusCode.ERROR))
