"""How long we wait, and a clock for forgetting that does not leap."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Unavailable
from cambist.clock import BELIEVED, Reckoning, Steady, within
from cambist.errors import DeadlineExceeded
from cambist.testing import MovableClock


async def test_work_that_ends_in_time_is_left_alone() -> None:
    async with within(5, "the work"):
        await asyncio.sleep(0)


async def test_work_that_takes_too_long_is_refused_by_name() -> None:
    with pytest.raises(DeadlineExceeded) as refused:
        async with within(0.01, "the work"):
            await asyncio.sleep(5)
    assert refused.value.facts == {"what": "the work", "seconds": 0.01}
    assert isinstance(refused.value, Unavailable)


async def test_a_time_out_of_somebody_elses_is_not_ours() -> None:
    with pytest.raises(TimeoutError) as raised:
        async with within(5, "the work"):
            raise TimeoutError("theirs")
    assert str(raised.value) == "theirs"


async def test_a_deadline_that_a_library_tells_as_its_own_time_out_is_ours() -> None:
    async def library() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise TimeoutError("theirs") from None

    with pytest.raises(DeadlineExceeded) as refused:
        async with within(0.01, "the work"):
            await library()
    assert refused.value.facts == {"what": "the work", "seconds": 0.01}


async def test_the_inner_deadline_is_told_before_the_outer_one() -> None:
    with pytest.raises(DeadlineExceeded) as refused:
        async with within(5, "outside"), within(0.01, "inside"):
            await asyncio.sleep(5)
    assert refused.value.facts["what"] == "inside"


async def test_work_that_does_not_let_itself_be_ended_is_too_late_all_the_same() -> None:
    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5)

    with pytest.raises(DeadlineExceeded):
        async with within(0.01, "the work"):
            await stubborn()
    await asyncio.sleep(0)  # and nothing of the cancellation is left behind


async def test_who_hangs_up_is_cancelled_not_refused() -> None:
    async def work() -> None:
        async with within(5, "the work"):
            await asyncio.sleep(5)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_movable_clock_stands_until_it_is_moved() -> None:
    clock = MovableClock(1000.0)
    assert clock() == clock() == 1000.0
    clock.move(1.5)
    assert clock() == 1001.5


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e5, 1e5)), max_size=20))
def test_a_steady_clock_is_never_ahead_of_the_other_nor_of_the_time_that_has_passed(moves: list[tuple[float, float]]) -> None:
    wall, passed = MovableClock(1e9), MovableClock(0)
    steady = Steady(wall, passed)
    least = wall.now
    for real, leap in moves:
        wall.move(real + leap)
        passed.move(real)
        least = min(wall.now, least + real)
        assert steady() == pytest.approx(least, abs=1e-3)


DAY = 86_400.0


def test_a_clock_that_stays_ahead_is_believed_after_two_days_and_one_that_leaps_meanwhile_is_not() -> None:
    """A clock that was wrong at the start of the machine and was then set right must not keep everything for ever."""
    known = Reckoning(now=0, at=100).later(50 * DAY, 100)
    known = known.later(51 * DAY - 1, 100 + DAY - 1)
    assert known.now == DAY - 1
    known = known.later(91 * DAY, 100 + DAY)  # which leaps by 40 days more
    known = known.later(50 * DAY + BELIEVED, 100 + BELIEVED)
    assert known.now == 50 * DAY + BELIEVED


def test_of_a_clock_that_is_ahead_by_more_and_more_only_the_least_is_believed() -> None:
    """A step of a second must not be the beginning of the two days for a leap that comes later."""
    known = Reckoning(now=0, at=0).later(1, 0)
    known = known.later(BELIEVED - 60 + DAY, BELIEVED - 60)
    known = known.later(BELIEVED + DAY, BELIEVED)
    assert known.now == BELIEVED + 1
    assert known.later(BELIEVED + 60, BELIEVED + 60).now == BELIEVED + 60


def test_a_machine_that_starts_anew_goes_on_where_it_was_and_doubts_from_then_on() -> None:
    known = Reckoning(now=1000, at=BELIEVED).later(1000 + DAY, BELIEVED)
    known = known.later(1000 + DAY, 5)
    assert known == Reckoning(now=1000, at=5, ahead=DAY, since=5)
    assert known.later(1010 + DAY, 15).now == 1010


def test_where_nobody_looked_for_long_a_leap_is_not_older_than_the_first_look() -> None:
    known = Reckoning(now=0, at=0).later(3 * BELIEVED + DAY, 3 * BELIEVED)
    assert known.now == 3 * BELIEVED


def test_a_steady_clock_runs_with_the_other_where_nobody_sets_it() -> None:
    wall, passed = MovableClock(1000), MovableClock(0)
    steady = Steady(wall, passed)
    for clock in (wall, passed):
        clock.move(60)
    assert steady() == 1060
