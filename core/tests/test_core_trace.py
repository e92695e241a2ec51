"""What happened, step by step."""

from __future__ import annotations

import asyncio

import pytest

from cambist.trace import Trace


async def worth(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def test_a_step_hands_on_its_value_and_keeps_it() -> None:
    trace = Trace("id", 1.0)
    assert await trace.step("subject", worth("proved")) == "proved"
    [step] = trace.steps
    assert (step.name, step.outcome, trace.outcome("subject")) == ("subject", "proved", "proved")
    assert step.ended >= step.started > 0
    assert step.microseconds == (step.ended - step.started) // 1000


async def test_steps_keep_their_order_and_what_never_ran_has_no_outcome() -> None:
    trace = Trace("id", 1.0)
    await trace.step("a", worth(1))
    trace.saw("b", 2)
    await trace.step("c", worth(3))
    assert [step.name for step in trace.steps] == ["a", "b", "c"]
    assert trace.outcome("policy") is None


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_a_step_that_fails_keeps_the_error_and_lets_it_pass(error: BaseException) -> None:
    async def fails() -> None:
        raise error

    trace = Trace("id", 1.0)
    with pytest.raises(type(error)):
        await trace.step("subject", fails())
    [step] = trace.steps
    assert step.outcome is error
    assert step.ended >= step.started


def test_what_was_seen_is_a_step_without_duration() -> None:
    trace = Trace("id", 1.0)
    assert trace.saw("request", {"a": 1}) == {"a": 1}
    assert trace.steps[0].microseconds == 0
    assert trace.outcome("request") == {"a": 1}
