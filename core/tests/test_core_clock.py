"""How long we wait, and a clock for forgetting that does not leap."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Unavailable
from cambist.clock import BELIEVED, Reckoning, Steady, within
from cambist.errors import DeadlineExceeded
from cambist.testing import MovableClock


async def test_work_that_ends_in_time_is_left_alone() -> None:
    await within(5, "the work", asyncio.sleep(0))


async def test_work_that_takes_too_long_is_refused_by_name() -> None:
    with pytest.raises(DeadlineExceeded) as refused:
        await within(0.01, "the work", asyncio.sleep(5))
    assert refused.value.facts == {"what": "the work", "seconds": 0.01}
    assert isinstance(refused.value, Unavailable)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_time_out_of_somebody_elses_is_not_ours(waits: bool) -> None:
    async def library() -> None:
        if waits:
            await asyncio.sleep(0)
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError) as raised:
        await within(5, "the work", library())
    assert str(raised.value) == "theirs"


async def test_a_deadline_that_a_library_tells_as_its_own_time_out_is_ours() -> None:
    async def library() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            raise TimeoutError("theirs") from None

    with pytest.raises(DeadlineExceeded) as refused:
        await within(0.01, "the work", library())
    assert refused.value.facts == {"what": "the work", "seconds": 0.01}


async def test_the_inner_deadline_is_told_before_the_outer_one() -> None:
    with pytest.raises(DeadlineExceeded) as refused:
        await within(5, "outside", within(0.01, "inside", asyncio.sleep(5)))
    assert refused.value.facts["what"] == "inside"


async def test_work_that_does_not_let_itself_be_ended_is_too_late_all_the_same() -> None:
    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5)

    with pytest.raises(DeadlineExceeded):
        await within(0.01, "the work", stubborn())
    await asyncio.sleep(0)  # and nothing of the cancellation is left behind


async def test_work_that_waits_is_resumed_with_what_it_waited_for_and_its_result_is_the_works() -> None:
    async def work() -> list[object]:
        answers = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))
        return [*answers, await asyncio.sleep(0, 3)]

    assert await within(5, "the work", work()) == [1, 2, 3]


@pytest.mark.parametrize("waits", [False, True])
async def test_what_the_work_raises_is_raised_whether_it_waited_or_not(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await within(5, "the work", work())


async def test_an_error_of_what_it_waits_for_reaches_the_work() -> None:
    async def work() -> str:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        except TimeoutError:
            return "caught"
        return "missed"

    assert await within(5, "the work", work()) == "caught"


async def test_work_that_holds_the_loop_is_too_late_though_it_never_waited() -> None:
    async def busy() -> None:
        time.sleep(0.02)

    with pytest.raises(DeadlineExceeded):
        await within(0.01, "the work", busy())


async def test_who_hangs_up_is_cancelled_not_refused() -> None:
    task = asyncio.create_task(within(5, "the work", asyncio.sleep(5)))
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
