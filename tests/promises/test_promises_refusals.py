"""Fail closed: whatever breaks, wherever and however, nothing is issued, one record says so, and the next request is served."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cambist.testing import Running

from .faults import BEFORE_SPENDING, NOTHING, RAISES, RETURNS, STEPS, Faults, faulty
from .stage import API, BADGE, DIALECTS, FRESH, Asked, claims, whole

TOLD = "what an error says, and nobody else may"
NONCE = {"htm": "GET", "htu": f"{API}/orders"}


def badge(dialect: str) -> dict[str, Any]:
    """A credential that is good once, and on the JSON endpoint a nonce."""
    members: dict[str, Any] = {"subject_token": f"badge:ann:{next(FRESH)}", "subject_token_type": BADGE, "audience": API}
    return {**members, "execution_scope": {**NONCE, "nonce": f"n-{next(FRESH)}"}} if dialect == "json" else members


@st.composite
def failures(draw: st.DrawFn) -> Faults:
    """A step, and what it does there."""
    step = draw(st.sampled_from(STEPS))
    if step in RETURNS and draw(st.booleans()):
        return Faults(step, None, draw(st.sampled_from(list(RETURNS[step]))), TOLD)
    return Faults(step, draw(st.sampled_from(list(RAISES.values()))), NOTHING, TOLD)


async def fails(running: Running, dialect: str, members: dict[str, Any]) -> None:
    answer = await Asked(running, dialect, members).answer()
    assert answer.status_code in (400, 500, 503), answer.text
    assert {"error", "reason", "decision_id"} <= answer.json().keys()
    assert "access_token" not in answer.text
    assert TOLD not in answer.text + str(answer.headers)


@pytest.mark.row("J-errors")
@settings(whole, max_examples=60)
@given(failures(), st.sampled_from(DIALECTS))
@example(Faults("observe", SystemExit, NOTHING, TOLD), "json")
@example(Faults("decide", RAISES["CancelledError"], NOTHING, TOLD), "form")
async def test_any_failure_ends_in_a_refusal(faults: Faults, dialect: str) -> None:
    """I6: of plugin, policy, store, key store, observer; and what was not spent can still be."""
    step, members = faults.step, badge(dialect)
    async with faulty(faults) as running:
        await fails(running, dialect, members)
        (record,) = running.records
        assert record.refusal is not None
        assert record.outcome == record.refusal.reason
        assert TOLD not in f"{record} {record.refusal.facts}"
        faults.heal()
        claims(await Asked(running, dialect, members if step in BEFORE_SPENDING else badge(dialect)).answer())
        assert [record.outcome for record in running.records[1:]] == ["permitted"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_failure_has_the_name_of_its_plugin_in_the_record(step: str) -> None:
    async with faulty(Faults(step, ValueError, NOTHING, TOLD)) as running:
        await fails(running, "json", badge("json"))
        (record,) = running.records
        assert record.refusal is not None
        assert record.refusal.facts["plugin"] == "faulty"
