"""Spans of a served service, sent by the real exporter to a receiver of ours that speaks OTLP over HTTP; and to one that is not there."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from habits.running import free_port
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cambist.testing import AllowAll
from cambist.testing.serving import Served, serve
from cambist.token_type import JWT
from cambist.tracing.spans import trace_id
from cambist.zone import TOKEN_EXCHANGE

API = "https://api.example.test"
THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"


class Receiver:
    """Keeps every span that arrives, with the resource that sent it."""

    def __init__(self) -> None:
        self.spans: queue.SimpleQueue[tuple[dict[str, str], Any]] = queue.SimpleQueue()
        self.headers: list[dict[str, str]] = []

    def of_trace(self, trace: str) -> dict[str, tuple[dict[str, str], Any]]:
        """The spans of one decision, by name; that of the whole comes last. Raises queue.Empty when it does not come."""
        found: dict[str, tuple[dict[str, str], Any]] = {}
        deadline = time.monotonic() + 20
        while "exchange" not in found:
            resource, span = self.spans.get(timeout=max(0.01, deadline - time.monotonic()))
            if span.trace_id.hex() == trace:
                found[span.name] = (resource, span)
        return found


@contextmanager
def receiving() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()

    class Posts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {one.key: one.value.string_value for one in sent.resource.attributes}
                for scope in sent.scope_spans:
                    for span in scope.spans:
                        receiver.spans.put((resource, span))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Posts)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(served: Served, **headers: str) -> httpx.Response:
    body = {"grant_type": TOKEN_EXCHANGE, "subject_token": "not-a-token", "subject_token_type": JWT, "audience": API}
    return httpx.post(f"{served.url}/v1/exchange/token", json=body, headers=headers, trust_env=False)


SETTINGS: dict[str, Any] = {"authenticates": [JWT], "tracing": True}
MODULES = {"rules": f"{AllowAll.__module__}:{AllowAll.__name__}"}


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_spans_arrive_where_the_variables_say(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as (receiver, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "sts-of-blue")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with serve(SETTINGS, modules=MODULES, server=server) as served:
            refused = asked(served)
            carried = asked(served, traceparent=f"00-{THEIRS}-00f067aa0ba902b7-01")
            own = receiver.of_trace(trace_id(refused.headers["cambist-decision-id"]))
            theirs = receiver.of_trace(THEIRS)
    assert refused.status_code == 400
    for spans, answered in ((own, refused), (theirs, carried)):
        resource, whole = spans["exchange"]
        told = {one.key: one.value.string_value for one in whole.attributes}
        assert told["cambist.decision_id"] == answered.headers["cambist-decision-id"]
        assert told["cambist.reason"] == answered.json()["reason"]
        assert resource["service.name"] == "sts-of-blue"
        assert spans["subject"][1].parent_span_id == whole.span_id
    assert own["exchange"][1].parent_span_id == b""
    assert theirs["exchange"][1].parent_span_id.hex() == "00f067aa0ba902b7"
    assert {(one["path"], one["x-tenant"]) for one in receiver.headers} == {("/v1/traces", "blue")}


def test_what_was_not_sent_yet_is_sent_when_the_service_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as (receiver, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
        with serve(SETTINGS, modules=MODULES) as served:
            answered = asked(served)
            assert receiver.spans.empty()
            assert served.stop() == 0
            (logged,) = [one for one in map(json.loads, served.log.splitlines()) if one["event"] == "decision"]
        assert logged["trace_id"] == trace_id(logged["decision_id"]) == trace_id(answered.headers["cambist-decision-id"])
        assert "exchange" in receiver.of_trace(trace_id(answered.headers["cambist-decision-id"]))


def test_without_a_receiver_decisions_are_made_and_the_service_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with serve(SETTINGS, modules=MODULES) as served:
        assert [asked(served).status_code for _ in range(50)] == [400] * 50
        assert httpx.get(f"{served.url}/ready", trust_env=False).status_code == 200
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 15
