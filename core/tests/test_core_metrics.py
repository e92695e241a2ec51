"""Metrics count what was decided, in two formats that say the same, under labels that no stranger can multiply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cambist import Deny, Permit, Record, Refusal
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT, KNOWN
from cambist.trace import Trace
from cambist.web.app import create
from cambist.web.metrics import BUCKETS, Metrics
from cambist.web.tally import KEY, SEPARATOR
from cambist.wire.codes import TABLE

API = "https://api.example.test"


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[tuple[Running, Forge, Scripted]]:
    clock = MovableClock()
    forge, policy = Forge("https://issuer.example.test", ISSUER, clock), Scripted(Permit())
    async with open_sts(
        {"authenticates": [JWT], **settings}, modules={"trusting": Trusting(forge), "scripted": policy}, clock=clock
    ) as running:
        yield running, forge, policy


async def samples(running: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The exposition, read by Prometheus's own parser."""
    answered = await running.http.get("/metrics")
    assert answered.headers["content-type"].startswith("text/plain; version=")
    assert answered.headers["cache-control"] == "no-store"
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answered.text):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


@pytest.mark.row("F-metrics")
async def test_each_decision_is_counted_once_by_dialect_type_and_outcome() -> None:
    async with opened() as (running, forge, policy):
        assert (await samples(running)).get("cambist_decisions_total", {}) == {}
        await running.form(subject_token=forge.jwt(), audience=API)
        await running.json(subject_token=forge.jwt(), audience=API)
        await running.json(subject_token=forge.jwt(), audience=API)
        policy.answer = Deny()
        await running.json(subject_token=forge.jwt(), audience=API)
        await running.http.get("/v1/exchange/token")
        for path in ("/health", "/metrics", "/nothing"):
            await running.http.get(path)
        found = await samples(running)
    assert found["cambist_decisions_total"] == {
        labels(dialect="oauth", token_type=JWT, outcome="permitted"): 1,
        labels(dialect="v1", token_type=JWT, outcome="permitted"): 2,
        labels(dialect="v1", token_type=JWT, outcome="policy_denied"): 1,
        labels(dialect="none", token_type="none", outcome="method_not_allowed"): 1,
    }
    assert found["cambist_decision_seconds_count"] == {labels(dialect="oauth"): 1, labels(dialect="v1"): 3}
    assert 0 < found["cambist_decision_seconds_sum"][labels(dialect="v1")] < 30
    buckets = [value for key, value in found["cambist_decision_seconds_bucket"].items() if ("dialect", "v1") in key]
    assert len(buckets) == len(BUCKETS) + 1
    assert buckets == sorted(buckets)
    assert {dict(key)["step"] for key in found["cambist_step_seconds_total"]} >= {"client", "subject", "policy", "key", "mint"}


@pytest.mark.row("F-metrics")
async def test_what_a_stranger_chooses_is_never_a_label() -> None:
    """H12."""
    async with opened() as (running, forge, _):
        await running.json(subject_token=forge.jwt(), audience=API)
        before = {name: set(values) for name, values in (await samples(running)).items()}
        for number in range(20):
            await running.json(subject_token="x", subject_token_type=f"urn:x:{number}", audience=API)
            await running.json(subject_token="x", subject_token_type="urn:cambist:token-type:api-key", audience=API, zone_id=f"z{number}")
            await running.json(subject_token=Forge(f"https://i{number}.test", ISSUER, forge.clock).jwt(), audience=API)
            await running.json(grant_type=f"g{number}")
            await running.form(grant_type="client_credentials", client_id=f"c{number}", audience=API)
            await running.http.request(f"M{number}", "/oauth/2/token")
        after = await samples(running)
        added = {key for name, values in after.items() for key in set(values) - before.get(name, set())}
    told = {(label, value) for key in added for label, value in key}
    types = {value for label, value in told if label == "token_type"}
    assert types <= {"none", "other", *KNOWN}
    assert {label for label, _ in told} <= {"dialect", "token_type", "outcome", "step", "le"}
    assert len(added) < 40


@pytest.mark.row("F-metrics-json")
async def test_the_json_says_the_same_as_the_text() -> None:
    async with opened() as (running, forge, _):
        for _ in range(3):
            await running.json(subject_token=forge.jwt(), audience=API)
        text = await samples(running)
        answered = await running.http.get("/metrics.json")
    assert (answered.headers["content-type"], answered.headers["cache-control"]) == ("application/json", "no-store")
    told = {name: {labels(**one["labels"]): one["value"] for one in each} for name, each in answered.json().items()}
    assert {name: values for name, values in told.items() if not name.endswith("_created")} == {
        name: values for name, values in text.items() if not name.endswith("_created")
    }


@pytest.mark.row("F-metrics")
async def test_no_token_and_no_name_of_anybody_is_exposed() -> None:
    """SF-13."""
    async with opened() as (running, forge, _):
        token = forge.jwt(sub="alice")
        await running.json(subject_token=token, audience=API)
        for path in ("/metrics", "/metrics.json", "/ready", "/health"):
            text = (await running.http.get(path)).text
            assert not [part for part in (token, token.split(".")[1], "alice", forge.issuer, API) if part in text]


@pytest.mark.row("F-metrics")
async def test_what_was_turned_away_undecided_is_counted_apart() -> None:
    metrics = Metrics()
    async with opened(listen={"limits": {"address_rate": 0.001, "address_burst": 2}}) as (running, _, _):
        transport = httpx.ASGITransport(app=create(running.sts, metrics))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            statuses = [(await http.post("/oauth/2/token")).status_code for _ in range(5)]
    assert statuses == [400, 400, 429, 429, 429]
    found = metrics.document()
    assert [(one["labels"], one["value"]) for one in found["cambist_turned_away_total"]] == [({"reason": "too_many_requests"}, 3.0)]
    assert len(running.records) == 2


class Odd(Refusal):
    """A refusal of a plugin's own, which chooses its reason anew each time."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.reason = f"odd-{number}"  # type: ignore[misc]  # a plugin may do so all the same


@pytest.mark.row("F-metrics")
async def test_reasons_that_are_not_ours_are_one() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.turned_away(Odd(number))
        await metrics.observe(Record(decision_id="d", outcome=f"odd-{number}", at=0.0, trace=Trace("d", 0.0)))
    found = metrics.document()
    assert [one["labels"] for one in found["cambist_turned_away_total"]] == [{"reason": "other"}]
    assert [one["labels"]["outcome"] for one in found["cambist_decisions_total"]] == ["other"]


@pytest.mark.row("F-metrics")
def test_every_label_that_there_is_fits_into_the_tally() -> None:
    """What does not fit would not be counted."""
    outcomes = {"permitted", "cancelled", "other", *(kind.reason for kind in TABLE)}
    keys: list[tuple[str, ...]] = [
        ("decisions", dialect, kind, outcome) for dialect in ("oauth", "v1") for kind in (*KNOWN, "other") for outcome in outcomes
    ]
    keys += [("turned_away", outcome) for outcome in outcomes]
    assert max(len(SEPARATOR.join(key).encode()) for key in keys) <= KEY


async def test_a_record_without_steps_is_counted_and_takes_no_time() -> None:
    metrics = Metrics()
    assert metrics.required is False
    await metrics.observe(Record(decision_id="d", outcome="internal_fault", at=0.0, trace=Trace("d", 0.0)))
    document: Mapping[str, Any] = metrics.document()
    assert [one["value"] for one in document["cambist_decisions_total"]] == [1.0]
    assert "cambist_decision_seconds_count" not in document
    assert b'outcome="internal_fault"' in metrics.text()[0]
