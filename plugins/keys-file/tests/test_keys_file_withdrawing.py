"""One key withdrawn: it is gone for good, something signs all the same, and the other keys keep their promises."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist.testing import MovableClock
from cambist_keys_file.testing import kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

LEAD = 360.0


async def test_the_key_that_signs_is_followed_by_the_one_that_waits(tmp_path: Path) -> None:
    """Verifiers may have that one already; a new one they cannot have."""
    clock = MovableClock()
    store = kept(tmp_path, clock)
    stolen, waiting = await signer(store), (await store.rotate("default")).kid
    assert await store.withdraw("default", stolen) is True
    assert await signer(store) == waiting
    assert await kids(store) == [waiting]
    assert (await store.rotate("default")).signs_from == clock() + LEAD, "the next rotation is one as any other"


async def test_the_key_that_signs_alone_is_followed_by_a_new_one_at_once(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    stolen = await signer(store)
    assert await store.withdraw("default", stolen) is True
    assert await signer(store) != stolen
    assert await kids(store) == [await signer(store)]
    assert stolen not in (tmp_path / "keys" / "default.json").read_text()


async def test_a_key_that_waits_is_withdrawn_before_it_signs(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    current, waiting = await signer(store), (await store.rotate("default")).kid
    await store.withdraw("default", waiting)
    clock.move(LEAD)
    assert await signer(store) == current
    assert await kids(store) == [current]


async def test_a_retired_key_goes_before_its_time_and_no_other_does(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    first = await signer(store)
    second = (await store.rotate("default")).kid
    clock.move(LEAD)
    third = (await store.rotate("default")).kid
    clock.move(LEAD)
    await store.withdraw("default", second)
    assert await kids(store) == [third, first]
    clock.move(3660 - 1)
    assert await kids(store) == [third, first], "the first stays as long as its tokens may live, and longer"
    clock.move(1)
    assert await kids(store) == [third]


async def test_what_is_withdrawn_already_changes_nothing(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    await signer(store)
    generation = (await store.ring("default")).generation
    assert await store.withdraw("default", "unknown") is False
    assert await store.withdraw("blue", "unknown") is False
    assert (await store.ring("default")).generation == generation
    assert store.zones() == ("default",)


async def test_another_store_signs_with_it_no_more_within_a_second(tmp_path: Path) -> None:
    clock = MovableClock()
    one, other = kept(tmp_path, clock), kept(tmp_path, clock)
    stolen = await signer(other)
    await one.withdraw("default", stolen)
    clock.move(1)
    assert await signer(other) == await signer(one) != stolen
    assert list(other._zones["default"]._opened) == [await signer(one)], "nor is it in the memory of any"


STEPS = st.lists(st.tuples(st.sampled_from(["wait", "rotate", "withdraw", "signing"]), st.floats(0, 1000)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_is_withdrawn_when_something_published_signs_and_nothing_comes_back(steps: list[tuple[str, float]]) -> None:
    async def story(folder: Path) -> None:
        clock, withdrawn = MovableClock(), set[str]()
        stores = [kept(folder, clock), kept(folder, clock)]
        for what, amount in steps:
            if what == "wait":
                clock.move(amount)
            elif what == "rotate":
                await stores[0].rotate("default")
            else:
                published = await kids(stores[0])
                kid = await signer(stores[0]) if what == "signing" else published[int(amount) % len(published)]
                withdrawn.add(kid)
                assert await stores[0].withdraw("default", kid) is True
                clock.move(1)
            for store in stores:
                assert await signer(store) in await kids(store)
                assert not withdrawn & {*await kids(store), await signer(store)}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
