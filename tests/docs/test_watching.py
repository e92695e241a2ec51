"""What `watch-it.md` shows is so: the line of the log, the rules of Prometheus, the commands and the variables."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from habits.pages import Shell, blocks
from msgspec import to_builtins
from opentelemetry.sdk import environment_variables

from cambist import Permit
from cambist.settings import parse
from cambist.testing import ISSUER, Forge, MovableClock, Scripted, open_sts
from cambist.testing.serving import serve
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.wire.codes import TABLE
from cambist_hostapp.decisions import line

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "watch-it.md"
METRICS = {"cambist_decisions_total", "cambist_decision_seconds", "cambist_step_seconds_total", "cambist_turned_away_total"}


async def test_a_line_of_the_log_has_the_members_that_the_page_shows() -> None:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", "https://somebody.else.test", clock)
    modules = {"trusting": Trusting(forge), "scripted": Scripted(Permit())}
    async with open_sts({"authenticates": [JWT]}, modules=modules, clock=clock) as running:
        await running.json(subject_token=forge.jwt(), audience="https://api.example.test")
    (block,) = blocks(PAGE, "json")
    shown, told = json.loads(block), to_builtins(line(running.records[0]))
    assert set(told) == set(shown)
    for name in ("event", "level", "logger", "outcome", "reason", "dialect", "subject_token_type", "zone"):
        assert told[name] == shown[name]
    assert set(shown["steps"]) <= {step.name for step in running.records[0].trace.steps}


def test_the_rules_are_about_metrics_and_reasons_that_there_are() -> None:
    (block,) = blocks(PAGE, "yaml")
    rules = re.findall(r"^ +expr: (.+)$", block, re.MULTILINE)
    known = {kind.reason for kind in TABLE}
    for rule in rules:
        assert {name.removesuffix("_bucket") for name in re.findall(r"cambist_\w+", rule)} <= METRICS
        for values in re.findall(r'(?:outcome|reason)=~?"([^"]*)"', rule):
            assert set(values.split("|")) <= known
    assert len(rules) == block.count("alert:") == 3


def test_the_metrics_are_those_that_the_page_lists() -> None:
    listed = set(re.findall(r"^\| `(cambist_\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert listed == METRICS


def test_the_settings_that_it_shows_are_settings() -> None:
    said: dict[str, Any] = {}
    for block in blocks(PAGE, "toml"):
        said |= tomllib.loads(block)
    settings = parse({"issuer": ISSUER, **said})
    assert (settings.service.log_decisions, settings.service.tracing) == ("refused", True)


def test_the_variables_are_ones_that_opentelemetry_knows() -> None:
    named = set(re.findall(r"\bOTEL_\w+", PAGE.read_text("utf-8")))
    assert named
    assert named <= {name for name in vars(environment_variables) if name.startswith("OTEL_")}


def test_readiness_is_asked_as_the_page_says(tmp_path: Path, curl: Path) -> None:
    asking, variables = blocks(PAGE, "sh")
    with serve({}, modules={"rules": "cambist.testing:AllowAll"}) as served:
        wrote = Shell(tmp_path, curl.parent).ran(variables + asking.replace("8693", str(served.port)))
    assert json.loads(wrote)["status"] == "ok"
