"""Counts and times of what was decided, from the finished trace of each decision, over all workers; and of what was not even looked at.

Every label has a closed set of values: what a stranger or a plugin chose, an issuer, a type, a zone, a reason, is never one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from ..audit import CANCELLED, DONE, PERMITTED, Record
from ..errors import Refusal
from ..request import ExchangeRequest
from ..token_type import KNOWN
from ..wire.codes import TABLE
from .tally import Key, Tallies

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_BOUNDS = (*(str(float(bound)) for bound in BUCKETS), "+Inf")
"""The upper bounds as Prometheus writes them."""
_SUM = "sum"
_OUTCOMES = frozenset({PERMITTED, CANCELLED, *(kind.reason for kind in TABLE)})


class Metrics:
    """An observer that counts, in its own row of tallies that may be shared with other processes."""

    required = False

    def __init__(self, tallies: Tallies | None = None, row: int = 0) -> None:
        shared = tallies or Tallies()
        self._tally = shared.row(row)
        self._add = self._tally.add
        self._steps: dict[str, int] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Told(shared))

    def observe(self, record: Record) -> Awaitable[None]:
        request, steps, add = record.trace.outcome("request"), record.trace.steps, self._add
        dialect, token_type = "none", "none"
        if isinstance(request, ExchangeRequest):
            dialect, token_type = request.dialect.value, _bounded(request)
        add(("decisions", dialect, token_type, _outcome(record.outcome)))
        if steps:
            seconds = (steps[-1].ended - steps[0].started) / 1e9
            add(("seconds", dialect, _BOUNDS[bisect_left(BUCKETS, seconds)]))
            add(("seconds", dialect, _SUM), seconds)
        places, numbers = self._steps, self._tally.numbers
        for step in steps:  # the steps of the story are few, so where their times stand is known
            if (took := step.ended - step.started) and (place := places.get(step.name) or self._step(step.name)):
                numbers[place] += took / 1e9
        return DONE

    def _step(self, name: str) -> int:
        place = self._steps[name] = self._tally.where(("step", name))
        return place

    def turned_away(self, refusal: Refusal) -> None:
        """A request that was refused before anything was decided about it, and so is in no record."""
        self._add(("turned_away", _outcome(refusal.reason)))

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


class _Told(Collector):
    """The tallies of all workers, in Prometheus's terms."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    def collect(self) -> Iterable[Metric]:
        total = self._tallies.total()
        yield _counter(total, "decisions", "Decisions, by dialect, token type and outcome.", "dialect", "token_type", "outcome")
        yield _histogram(total)
        yield _counter(total, "turned_away", "Requests refused before anything was decided: unsound, late, too many.", "reason")
        yield _counter(total, "step", "Time spent in each step of the story.", "step", name="step_seconds")

    def describe(self) -> Iterable[Metric]:
        return self.collect()


def _counter(total: Mapping[Key, float], kind: str, meaning: str, *labels: str, name: str = "") -> CounterMetricFamily:
    family = CounterMetricFamily(f"cambist_{name or kind}", meaning, labels=labels)
    for values, number in _of(total, kind):
        family.add_metric(values, number)
    return family


def _histogram(total: Mapping[Key, float]) -> HistogramMetricFamily:
    family = HistogramMetricFamily("cambist_decision_seconds", "How long a decision took.", labels=["dialect"])
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (dialect, bound), number in _of(total, "seconds"):
        found[dialect][bound] = number
    for dialect, numbers in found.items():
        family.add_metric([dialect], list(_cumulated(numbers)), numbers.get(_SUM, 0.0))
    return family


def _cumulated(numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Each bucket with all that are below it, as Prometheus counts."""
    sofar = 0.0
    for bound in _BOUNDS:
        sofar += numbers.get(bound, 0.0)
        yield bound, sofar


def _of(total: Mapping[Key, float], kind: str) -> Iterator[tuple[Key, float]]:
    return ((key[1:], number) for key, number in total.items() if key[0] == kind)


def _outcome(name: str) -> str:
    return name if name in _OUTCOMES else "other"


def _bounded(request: ExchangeRequest) -> str:
    if request.subject is None:
        return "none"
    return request.subject.token_type if request.subject.token_type in KNOWN else "other"
