"""One span for each decision, with the story's steps beneath it: bounded, without secrets, and nothing at all unless it is asked for."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cambist import Deny, DidNotStart, Permit, Record
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.trace import Step, Trace
from cambist.tracing.spans import Spans, trace_id

API = "https://api.example.test"
STORY = {"zone", "client", "subject", "standing", "policy", "key", "spend", "mint"}
THEIRS, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{THEIRS}-{PARENT}-01"


class Told:
    """The spans that were written, by name."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def exchange(self) -> ReadableSpan:
        (found,) = [span for span in self.all if span.name == "exchange"]
        return found

    def step(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all if span.name == name]
        return found


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, answer: Any = None, **settings: Any) -> AsyncIterator[tuple[Running, Forge, Told]]:
    clock, exporter = MovableClock(), InMemorySpanExporter()
    monkeypatch.setattr(Spans, "exported", lambda: Spans(SimpleSpanProcessor(exporter)))
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules = {"trusting": Trusting(forge), "scripted": Scripted(answer or Permit())}
    async with open_sts({"authenticates": [JWT], "tracing": True, **settings}, modules=modules, clock=clock) as running:
        yield running, forge, Told(exporter)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_decision_is_one_span_and_its_steps_are_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as (running, forge, told):
        answered = await running.form(subject_token=forge.jwt(), audience=API)
    assert answered.status_code == 200
    (record,) = running.records
    whole = told.exchange
    assert [span.name for span in told.all] == [*(step.name for step in record.trace.steps if step.ended != step.started), "exchange"]
    assert {span.name for span in told.all} >= STORY
    assert (whole.kind, whole.status.status_code, whole.parent) == (SpanKind.SERVER, StatusCode.UNSET, None)
    for span in told.all[:-1]:
        assert span.parent is not None
        assert span.parent.span_id == whole.context.span_id
        assert whole.start_time is not None
        assert span.start_time is not None
        assert span.end_time is not None
        assert whole.start_time <= span.start_time <= span.end_time <= (whole.end_time or 0)
    assert attributes(whole) == {
        "cambist.decision_id": record.decision_id,
        "cambist.outcome": "permitted",
        "cambist.dialect": "oauth",
        "cambist.subject_token_type": JWT,
        "cambist.zone": "default",
        "cambist.policy": "scripted",
    }
    assert whole.start_time == int(record.at * 1e9)
    assert whole.resource.attributes["service.name"] == "cambist"


async def test_without_a_trace_of_the_callers_the_decision_id_is_the_trace_id(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as (running, forge, told):
        answered = await running.json(subject_token=forge.jwt(), audience=API)
    assert f"{told.exchange.context.trace_id:032x}" == trace_id(answered.headers["cambist-decision-id"])
    assert len({span.context.trace_id for span in told.all}) == 1


async def test_the_trace_of_the_caller_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as (running, forge, told):
        await running.form(subject_token=forge.jwt(), audience=API, headers={"traceparent": TRACEPARENT})
        assert f"{told.exchange.context.trace_id:032x}" == THEIRS
        assert f"{told.exchange.parent.span_id:016x}" == PARENT
        await running.form(subject_token=forge.jwt(), audience=API)
        assert f"{told.all[-1].context.trace_id:032x}" != THEIRS


@pytest.mark.parametrize(
    "sent",
    [
        [""],
        ["garbage"],
        [f"00-{'0' * 32}-{PARENT}-01"],
        [f"00-{THEIRS}-{'0' * 16}-01"],
        [f"ff-{THEIRS}-{PARENT}-01"],
        [TRACEPARENT.upper().replace("4B", "4b")],
        [f"{TRACEPARENT}-more"],
        [TRACEPARENT[:-1]],
        [TRACEPARENT * 1000],
        [TRACEPARENT, TRACEPARENT],
        ["\xff\xfe"],
    ],
)
async def test_what_is_no_trace_is_ignored(monkeypatch: pytest.MonkeyPatch, sent: list[str]) -> None:
    async with opened(monkeypatch) as (running, forge, told):
        body = {"subject_token": forge.jwt(), "subject_token_type": JWT, "audience": API}
        body["grant_type"] = "urn:ietf:params:oauth:grant-type:token-exchange"
        headers = [(b"traceparent", value.encode("latin-1")) for value in sent]
        answered = await running.http.post("/v1/exchange/token", json=body, headers=headers)
    assert answered.status_code == 200
    assert told.exchange.parent is None
    assert f"{told.exchange.context.trace_id:032x}" == trace_id(answered.headers["cambist-decision-id"])


async def test_who_has_chosen_not_to_be_traced_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as (running, forge, told):
        answered = await running.form(subject_token=forge.jwt(), audience=API, headers={"traceparent": f"00-{THEIRS}-{PARENT}-00"})
    assert (answered.status_code, told.all) == (200, [])
    assert len(running.records) == 1


async def test_a_refusal_is_no_error_and_says_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch, Deny()) as (running, forge, told):
        await running.form(subject_token=forge.jwt(), audience=API)
    assert told.exchange.status.status_code == StatusCode.UNSET
    found = attributes(told.exchange)
    assert (found["cambist.outcome"], found["cambist.reason"]) == ("refused", "policy_denied")
    assert told.all[-2].name == "policy"


async def test_what_is_ours_or_down_is_an_error_with_the_plugin_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(question: object) -> Any:
        raise OSError("password=hunter2")

    async with opened(monkeypatch, broken) as (running, forge, told):
        await running.form(subject_token=forge.jwt(), audience=API)
    for span in (told.exchange, told.step("policy")):
        assert span.status.status_code == StatusCode.ERROR
        assert attributes(span)["error.type"] == running.records[0].outcome
        assert span.events == ()
    assert attributes(told.exchange)["cambist.plugin"] == "scripted"
    assert "hunter2" not in "".join(span.to_json() for span in told.all)


async def test_nothing_that_a_stranger_wrote_is_in_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """I10: neither tokens nor names of anybody, and no value that a stranger can make many of."""
    async with opened(monkeypatch) as (running, forge, told):
        token = forge.jwt(sub="alice")
        canary = "canary" * 50
        await running.form(subject_token=token, audience=API, scope="canary")
        await running.form(subject_token=token, audience=API, zone_id=canary)
        await running.json(subject_token=token, subject_token_type=f"urn:x:{canary}", audience=canary)
        await running.json(grant_type=canary, client_id=canary, client_secret=canary)
        state = {"traceparent": TRACEPARENT, "tracestate": f"k={canary}"}
        await running.form(subject_token=token, audience=API, headers=state)
        text = "".join(span.to_json() for span in told.all)
    for part in (token, token.split(".")[1], "alice", "canary", API, forge.issuer):
        assert part not in text
    assert all(len(str(value)) <= 128 for span in told.all for value in attributes(span).values())
    kinds = {attributes(span).get("cambist.subject_token_type") for span in told.all}
    assert kinds == {None, JWT, "other"}


@pytest.mark.parametrize("decision_id", ["d", "", "not base64!", "A" * 44])
async def test_a_record_without_steps_or_with_a_foreign_id_is_a_span_too(decision_id: str) -> None:
    exporter = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(exporter))
    assert spans.required is False
    await spans.observe(Record(decision_id=decision_id, outcome="internal_fault", at=1.5, trace=Trace(decision_id, 1.5)))
    (span,) = exporter.get_finished_spans()
    assert span.context.trace_id != 0
    assert (span.start_time, span.end_time) == (1_500_000_000, 1_500_000_000)


class Stuck(SpanExporter):  # type: ignore[misc]  # mypy sees nothing of OpenTelemetry
    """Takes one batch, and does not come back until it is let go."""

    def __init__(self) -> None:
        self.taken, self.go, self.entered = 0, threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.go.wait(30)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.go.set()


@pytest.mark.filterwarnings("ignore")
async def test_while_the_receiver_is_stuck_memory_is_bounded_and_nobody_waits() -> None:
    exporter = Stuck()
    processor = BatchSpanProcessor(exporter, max_queue_size=100, max_export_batch_size=50, schedule_delay_millis=10)
    spans, records = Spans(processor, exporter), [_record(number) for number in range(1000)]
    await spans.observe(records[0])
    assert await asyncio.to_thread(exporter.entered.wait, 10)
    began = time.monotonic()
    for record in records[1:]:
        await spans.observe(record)
    assert time.monotonic() - began < 10
    exporter.go.set()
    async with spans:
        pass
    assert 0 < exporter.taken <= 1 + 100


async def test_closing_does_not_wait_for_a_receiver_that_is_stuck(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambist.tracing.spans.PATIENCE", 0.2)
    exporter = Stuck()
    async with Spans(BatchSpanProcessor(exporter), exporter) as spans:
        await spans.observe(_record(0))
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert "the last spans could not be sent" in caplog.text
    assert exporter.go.is_set()


async def test_closing_does_not_wait_for_a_processor_that_is_stuck_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.tracing.spans.PATIENCE", 0.1)
    exporter = Stuck()
    async with Spans(BatchSpanProcessor(exporter)) as spans:
        await spans.observe(_record(0))
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert not exporter.go.is_set()
    exporter.go.set()


async def test_without_another_wish_spans_go_out_by_otlp_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with Spans.exported() as spans:
        assert isinstance(spans._exporter, OTLPSpanExporter)


async def test_of_a_step_that_failed_the_kind_of_its_error_is_told_and_no_word() -> None:
    exporter = InMemorySpanExporter()
    spans, trace = Spans(SimpleSpanProcessor(exporter)), Trace("d", 0.0)
    trace.steps.append(Step("zone", 1_000, 2_000, OSError("a secret")))
    await spans.observe(Record(decision_id="d", outcome="internal_error", at=1.0, trace=trace))
    step = Told(exporter).step("zone")
    assert step.attributes is not None
    assert dict(step.attributes) == {"cambist.outcome": "failed", "cambist.reason": "OSError", "error.type": "OSError"}
    assert "a secret" not in step.to_json()


def _record(number: int) -> Record:
    return Record(decision_id=f"d{number}", outcome="permitted", at=float(number), trace=Trace("d", 0.0))


# ── unless it is asked for ──────────────────────────────────────────────────────────────────────────────

OFF = """
import asyncio, sys
from cambist.testing import open_sts
async def main():
    async with open_sts({}) as running:
        await running.form(subject_token="x", audience="y")
asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_unless_it_is_asked_for_nothing_of_it_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_without_the_extra_the_service_does_not_open_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "cambist.tracing."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(DidNotStart) as refused:
        async with open_sts({"tracing": True}):
            pass
    (problem,) = refused.value.problems
    assert re.fullmatch(r"tracing: opentelemetry\S* is not installed; it comes with the extra: pip install 'cambist\[otel\]'", problem)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
async def test_a_protocol_that_is_not_spoken_keeps_the_service_shut(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "grpc")
    with pytest.raises(DidNotStart) as refused:
        async with open_sts({"tracing": True}):
            pass
    assert refused.value.problems == ["tracing: OTEL_EXPORTER_OTLP_PROTOCOL is grpc; only http/protobuf is spoken"]
