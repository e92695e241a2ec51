"""Rotation publishes first, signs later, retires last: whatever is done when, no verifier is surprised."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambist import Unavailable
from cambist.testing import MovableClock
from cambist_keys_file.ring import MAX_REMEMBERED, REMEMBERED
from cambist_keys_file.testing import kept, kids, signer
from cambist_keys_file.zone_keys import MAX_PUBLISHED

pytestmark = pytest.mark.row("P-keys-file")

LEAD, RETAIN = 360.0, 3660.0


async def test_a_new_key_is_published_at_once_and_signs_when_every_cache_has_it(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    old = await signer(store)
    done = await store.rotate("default")
    assert done.rotated
    assert done.signs_from == clock() + LEAD
    assert await kids(store) == [done.kid, old]
    clock.move(LEAD - 0.001)
    assert await signer(store) == old
    clock.move(0.001)
    assert await signer(store) == done.kid


async def test_the_old_key_stays_published_until_its_last_token_has_died(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    old = await signer(store)
    new = (await store.rotate("default")).kid
    clock.move(LEAD + RETAIN - 0.001)
    assert await kids(store) == [new, old]
    clock.move(0.001)
    assert await kids(store) == [new]


async def test_a_second_rotation_answers_the_one_that_is_pending(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    first = await store.rotate("default")
    clock.move(LEAD - 1)
    again = await store.rotate("default")
    assert (again.rotated, again.kid, again.signs_from) == (False, first.kid, first.signs_from)
    clock.move(1)
    third = await store.rotate("default")
    assert third.rotated
    assert third.kid != first.kid


async def test_a_pending_rotation_survives_a_restart(tmp_path: Path) -> None:
    clock = MovableClock()
    first = await kept(tmp_path, clock).rotate("default")
    store = kept(tmp_path, clock)
    assert not (await store.rotate("default")).rotated
    clock.move(LEAD)
    assert await signer(store) == first.kid


async def test_a_zone_without_keys_gets_one_that_signs_and_one_that_waits(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    done = await store.rotate("default")
    assert done.signs_from == clock() + LEAD
    published = await kids(store)
    assert published[0] == done.kid
    assert published[1:] == [await signer(store)]


async def test_compromised_withdraws_everything_and_signs_at_once(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await store.rotate("default")
    clock.move(LEAD)
    await store.rotate("default")
    before = set(await kids(store))
    assert len(before) == 3
    done = await store.rotate("default", compromised=True)
    assert done.rotated
    assert done.signs_from == clock()
    assert done.kid not in before
    assert await signer(store) == done.kid
    assert await kids(store) == [done.kid]


async def test_compromised_keys_do_not_stay_in_the_file(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    old = await signer(store)
    await store.rotate("default", compromised=True)
    assert old not in (tmp_path / "keys" / "default.json").read_text()


async def test_a_withdrawn_private_key_leaves_the_memory_of_every_store(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    for store in (one, other):
        await signer(store)
    new = (await one.rotate("default", compromised=True)).kid
    clock.move(1)
    for store in (one, other):
        await signer(store)
        assert list(store._zones["default"]._opened) == [new]


async def test_rotating_one_zone_leaves_the_others_alone(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    blue = await kids(store, "blue")
    await store.rotate("default", compromised=True)
    assert await kids(store, "blue") == blue


async def test_the_private_half_of_a_retired_key_is_erased_by_the_next_rotation(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await store.rotate("default")
    clock.move(LEAD)
    await store.rotate("default")
    ring = await store.ring("default")
    assert [key.wrapped is None for key in ring.keys] == [True, False, False]
    assert len(await kids(store)) == 3


async def test_keys_that_are_published_no_more_leave_the_file_two_days_later(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    for _ in range(5):
        await store.rotate("default")
        clock.move(LEAD + RETAIN)
    assert len((await store.ring("default")).keys) == 6
    assert len(await kids(store)) == 1
    clock.move(REMEMBERED)
    await store.rotate("default")
    assert len((await store.ring("default")).keys) == 2


async def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    signed = await signer(store)
    for _ in range(MAX_REMEMBERED + 20):
        signed = await signer(store)
        await store.rotate("default")
        clock.move(LEAD)
    needed = await kids(store)
    keys = (await store.ring("default")).keys
    assert len(keys) <= MAX_REMEMBERED + len(needed) + 1
    assert {*needed, signed} <= {key.kid for key in keys}


async def test_the_published_set_does_not_grow_without_end(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock, retain=1_000_000)
    for _ in range(MAX_PUBLISHED - 1):
        await store.rotate("default")
        clock.move(LEAD)
    with pytest.raises(Unavailable) as refused:
        await store.rotate("default")
    assert "50 keys are published" in str(refused.value.facts["cause"])
    assert len(await kids(store)) == MAX_PUBLISHED
    assert (await store.rotate("default", compromised=True)).rotated


async def test_a_clock_that_was_far_ahead_does_not_make_a_key_wait_for_years(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    old = await signer(store)
    clock.move(1_000_000_000)
    ahead = await store.rotate("default")
    clock.move(-1_000_000_000)
    assert await signer(store) == old
    healed = await store.rotate("default")
    assert (healed.rotated, healed.kid) == (False, ahead.kid)
    assert healed.signs_from == clock() + LEAD
    clock.move(LEAD)
    assert await signer(store) == ahead.kid


@pytest.mark.parametrize("rotations", [1, 5])
async def test_a_key_that_is_still_needed_outlives_rotations_by_a_clock_that_leapt(tmp_path: Path, rotations: int) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    retired = await signer(store)
    await store.rotate("default")
    clock.move(LEAD)
    before = await kids(store)
    assert retired in before
    clock.move(86_400)
    for _ in range(rotations):
        await store.rotate("default")
        clock.move(LEAD)
    clock.move(-86_400 - rotations * LEAD)
    assert set(before) <= set(await kids(store)), "a token that the retired key signed verifies no more"


async def test_a_clock_that_steps_back_before_the_first_key_changes_nothing(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    first = await signer(store)
    clock.move(-86_400)
    assert await signer(store) == first
    assert await kids(store) == [first]
    done = await store.rotate("default")
    assert done.rotated
    assert await signer(store) == first


async def test_a_clock_that_steps_back_never_needs_a_private_half_that_was_erased(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await signer(store)
    second = (await store.rotate("default")).kid
    clock.move(LEAD)
    await store.rotate("default")
    clock.move(-2 * LEAD)
    assert await signer(store) == second
    assert second in await kids(store)
