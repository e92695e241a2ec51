"""What an operator sees of a served service: a line for each decision, and a count of what no decision was made about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from habits.raw import SECRET, SERVERS, Raw, exchange, form, head, raw_service

HOST = b"Host: sts.example.test"


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Any:
    return request.param


def turned_away(raw: Raw) -> dict[str, float]:
    told = raw.ask(head(b"GET /metrics.json HTTP/1.1", HOST, b"Connection: close")).answers[0].document
    return {sample["labels"]["reason"]: sample["value"] for sample in told.get("cambist_turned_away_total", ())}


@pytest.mark.row("F-metrics")
def test_what_the_gate_refuses_is_counted_by_reason_and_is_no_decision(server: Any, tmp_path: Path) -> None:
    """ADR 0011: nobody behind the gate has heard of these requests."""
    unsound = head(b"POST /oauth/2/token HTTP/1.1", HOST, b"Content-Length: 1", b"Transfer-Encoding: chunked")
    too_large = head(b"POST /oauth/2/token HTTP/1.1", HOST, b"Content-Length: 99999999")
    long_head = head(b"GET / HTTP/1.1", HOST, b"X: " + b"x" * 40_000)
    slow = b"GET /health HTT"
    with raw_service(tmp_path, server, {"head_timeout": 0.5}) as raw:
        assert turned_away(raw) == {}
        before = raw.decisions()
        for sent in (unsound, unsound, too_large, long_head, slow, head(b"FETCH / HTTP/1.1", HOST)):
            assert raw.ask(sent).closed
        assert turned_away(raw) == {
            "framing_unsound": 2,
            "body_too_large": 1,
            "head_too_large": 1,
            "not_arrived": 1,
            "method_not_allowed": 1,
        }
        assert raw.decisions() == before
        assert raw.works()
        assert sum(turned_away(raw).values()) == 6


def decisions(log: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "decision"]


def test_each_decision_has_a_line_in_the_log_that_leads_to_the_ledger(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server) as raw:
        answers = raw.ask(exchange() + exchange(body=form(secret="hunter2"), close=True)).answers
        assert raw.served.stop() == 0
        log = raw.served.log
    permitted, refused = decisions(log)
    assert [one["decision_id"] for one in (permitted, refused)] == [answer.headers["cambist-decision-id"] for answer in answers]
    assert (permitted["outcome"], refused["outcome"], refused["reason"]) == ("permitted", "refused", answers[1].document["reason"])
    assert permitted["level"] == "info"
    assert permitted["microseconds"] >= permitted["steps"]["mint"] > 0
    for secret in (SECRET, "hunter2", answers[0].document["access_token"].rpartition(".")[2]):
        assert secret not in log
