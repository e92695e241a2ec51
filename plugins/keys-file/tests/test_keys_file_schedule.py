"""Rotation by the clock: each zone in its time, once, and seen when it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cambist import Unavailable
from cambist.testing import MovableClock
from cambist_keys_file.testing import kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

LEAD, DAY = 360.0, 86_400.0


async def test_a_schedule_rotates_a_key_of_that_age_and_only_once(tmp_path: Path) -> None:
    clock = MovableClock()
    stores = [kept(tmp_path, clock, rotate_every=DAY), kept(tmp_path, clock, rotate_every=DAY)]
    first = await signer(stores[0])
    clock.move(DAY - 1)
    await stores[0].rotate_due(DAY)
    assert await kids(stores[0]) == [first]
    clock.move(1)
    await asyncio.gather(*(store.rotate_due(DAY) for store in stores))
    clock.move(1)
    published = await kids(stores[0])
    assert len(published) == 2
    assert await kids(stores[1]) == published
    clock.move(LEAD)
    await stores[1].rotate_due(DAY)
    assert await signer(stores[1]) == published[0]
    assert await kids(stores[1]) == published


async def test_a_schedule_that_looked_a_moment_too_early_does_not_rotate_a_new_key(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    await signer(one)
    clock.move(DAY)
    await signer(other)
    new = (await one.rotate("default", compromised=True)).kid
    await other.rotate_due(DAY)
    assert await kids(other) == [new]


async def test_the_schedule_looks_at_every_zone_that_has_keys(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    for zone in ("default", "blue"):
        await signer(store, zone)
    clock.move(DAY)
    await kept(tmp_path, clock).rotate_due(DAY)
    clock.move(1)
    assert [len(await kids(store, zone)) for zone in ("default", "blue")] == [2, 2]


async def test_the_schedule_goes_on_until_it_is_cancelled(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    first = await signer(store)
    running = asyncio.create_task(store.rotations(DAY, pause=0.001))
    for expected in (2, 3):
        clock.move(DAY + LEAD)
        async with asyncio.timeout(10):
            while (await store.ring("default")).generation < expected:
                await asyncio.sleep(0.001)
    assert not running.done()
    running.cancel()
    assert first not in await kids(store)


async def test_a_schedule_that_fails_is_seen_and_tries_again(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await signer(store)
    file = tmp_path / "keys" / "default.json"
    good = file.read_bytes()
    file.write_bytes(good[:-20])
    clock.move(DAY)
    await store.rotate_due(DAY)
    with pytest.raises(Unavailable) as refused:
        await store.ping()
    assert refused.value.facts["cause"] == "zone default: it is half-written or was altered"
    file.write_bytes(good)
    await store.rotate_due(DAY)
    await store.ping()
    assert len(await kids(store)) == 2


async def test_a_directory_that_is_gone_does_not_end_the_schedule(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    (tmp_path / "keys").rename(tmp_path / "away")
    await store.rotate_due(DAY)
    with pytest.raises(Unavailable):
        await store.ping()
