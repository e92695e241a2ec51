"""The Grafana dashboard: sane as Grafana reads it, and about metrics, labels and values that the service really has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cambist import Deny, Permit
from cambist.testing import ISSUER, Forge, MovableClock, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.web.app import create
from cambist.web.metrics import Metrics
from cambist.wire.codes import TABLE

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "cambist.json"
_METRIC = re.compile(r"\bcambist_\w+")
_BY = re.compile(r"by \(([^)]*)\)")
_MATCHED = re.compile(r'(\w+)(?:=~|=|!=|!~)"([^"]*)"')


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def queries(dashboard: dict[str, Any]) -> Iterator[str]:
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (str(variable.get("definition", "")) for variable in dashboard["templating"]["list"])


@pytest.fixture
async def exposed() -> dict[str, set[str]]:
    """Each metric of a service that has permitted, refused and turned away, with its labels."""
    clock, metrics, policy = MovableClock(), Metrics(), Scripted(Permit())
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    settings: dict[str, Any] = {"authenticates": [JWT], "listen": {"limits": {"address_rate": 0.001, "address_burst": 2}}}
    async with open_sts(settings, modules={"trusting": Trusting(forge), "scripted": policy}, clock=clock) as running:
        transport = httpx.ASGITransport(app=create(running.sts, metrics))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            body = {"subject_token": forge.jwt(), "subject_token_type": JWT, "audience": "https://api.example.test"}
            body["grant_type"] = "urn:ietf:params:oauth:grant-type:token-exchange"
            for _ in range(3):
                await http.post("/oauth/2/token", data=body)
                policy.answer = Deny()
        for record in running.records:
            await metrics.observe(record)
    families = text_string_to_metric_families(metrics.text()[0].decode())
    found: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_of_the_dashboard_is_there(dashboard: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    for query in queries(dashboard):
        named = _METRIC.findall(query)
        assert set(named) <= exposed.keys(), query
        labels = {label.strip() for group in _BY.findall(query) for label in group.split(",")} | {
            name for name, _ in _MATCHED.findall(query)
        }
        if named:
            assert labels - {"instance"} <= set.union(*(exposed[name] for name in named)), query


def test_every_metric_of_the_service_is_on_the_dashboard(dashboard: dict[str, Any], exposed: dict[str, set[str]]) -> None:
    shown = {name for query in queries(dashboard) for name in _METRIC.findall(query)}
    assert {name for name in exposed if not name.endswith("_created")} == shown


def test_every_outcome_that_it_asks_for_is_one(dashboard: dict[str, Any]) -> None:
    known = {"permitted", "cancelled", *(kind.reason for kind in TABLE)}
    asked = {
        value
        for query in queries(dashboard)
        for name, values in _MATCHED.findall(query)
        if name == "outcome"
        for value in values.split("|")
    }
    assert len(asked) > 3
    assert asked <= known


def test_its_panels_have_ids_places_units_and_words_of_their_own(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels) >= 8
    covered: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in ("reqps", "percentunit", "s")
        assert panel["datasource"]["uid"] == "${datasource}"
        assert [target["refId"] for target in panel["targets"]] == sorted({target["refId"] for target in panel["targets"]})
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not covered & cells
        covered |= cells
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "instance"}
    assert (dashboard["uid"], dashboard["title"], "id" in dashboard) == ("cambist", "Cambist", False)
