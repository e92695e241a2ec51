"""Counts and times of what was decided, from the finished trace of each decision.

Every label has a bounded set of values: what a stranger chose, an issuer, a type, a zone, is never one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from ..audit import Record
from ..request import ExchangeRequest
from ..token_type import KNOWN

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """An observer that counts."""

    required = False

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._decisions = Counter(
            "cambist_decisions",
            "Decisions, by dialect, token type and outcome.",
            ["dialect", "token_type", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "cambist_decision_seconds", "How long a decision took.", ["dialect"], buckets=BUCKETS, registry=self._registry
        )
        self._steps = Counter("cambist_step_seconds", "Time spent in each step of the story.", ["step"], registry=self._registry)

    async def observe(self, record: Record) -> None:
        request = record.trace.outcome("request")
        dialect, token_type = "none", "none"
        if isinstance(request, ExchangeRequest):
            dialect = request.dialect.value
            token_type = _bounded(request)
        self._decisions.labels(dialect, token_type, record.outcome).inc()
        steps = record.trace.steps
        if steps:
            self._seconds.labels(dialect).observe((steps[-1].ended - steps[0].started) / 1e9)
        for step in steps:
            self._steps.labels(step.name).inc((step.ended - step.started) / 1e9)

    def text(self) -> tuple[bytes, str]:
        """The Prometheus exposition, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def document(self) -> Mapping[str, Any]:
        """The same as JSON: for each metric its samples."""
        samples: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for metric in self._registry.collect():
            for sample in metric.samples:
                samples[sample.name].append({"labels": dict(sample.labels), "value": sample.value})
        return samples


def _bounded(request: ExchangeRequest) -> str:
    if request.subject is None:
        return "none"
    return request.subject.token_type if request.subject.token_type in KNOWN else "other"
