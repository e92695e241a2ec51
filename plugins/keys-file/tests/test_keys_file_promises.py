"""Whatever is done when, no verifier is surprised: rotation as properties over every order of events."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cambist.keys import Horizon
from cambist.testing import MovableClock
from cambist_keys_file.testing import kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

EDGES = ("a key begins to sign", "a fetched set gets too old", "a token dies")
FORWARD = st.one_of(
    st.tuples(st.just("wait"), st.floats(0, 5000)),
    st.tuples(st.sampled_from(EDGES), st.sampled_from([-1.0, -0.001, 0.0, 0.001, 1.0])),
    st.tuples(st.just("rotate"), st.sampled_from([0.0, 1.0])),
)
# Twelve steps back stay below what keys are retained for: a clock that is an hour wrong is another matter.
STEPS = FORWARD | st.tuples(st.just("back"), st.floats(0, 300))
HORIZONS = [Horizon(max_age=1, lifetime=30), Horizon(max_age=20, lifetime=43_200), Horizon(max_age=86_400, lifetime=300)]


class Witness:
    """A verifier that keeps what it fetched for as long as it may, and the holder of tokens that live as long as they can."""

    def __init__(self, folder: Path, horizon: Horizon) -> None:
        self.clock, self.elapsed = MovableClock(), 0.0
        self.stores = [kept(folder, self.clock, horizon), kept(folder, self.clock, horizon)]
        self.max_age, self.retain = horizon.max_age, horizon.lifetime + 60
        self.fetched: list[tuple[float, list[str]]] = []
        self.signed: list[tuple[float, str]] = []
        self.signs_from = self.clock()

    def wait(self, seconds: float) -> None:
        self.elapsed += max(seconds, 0)
        self.clock.move(max(seconds, 0))

    def until(self, edge: str) -> float:
        """How long it is to the next moment at which a promise might break."""
        if edge == EDGES[0]:
            return self.signs_from - self.clock()
        ends = [when + self.max_age for when, _ in self.fetched] if edge == EDGES[1] else [when + self.retain for when, _ in self.signed]
        return min((end - self.elapsed for end in ends if end > self.elapsed), default=0)

    async def step(self, what: str, amount: float) -> None:
        if what == "wait":
            self.wait(amount)
        elif what == "back":
            self.clock.move(-amount)
        elif what == "rotate":
            self.signs_from = (await self.stores[int(amount)].rotate("default")).signs_from
        else:
            self.wait(self.until(what) + amount)

    async def look(self) -> None:
        for store in self.stores:
            self.fetched.append((self.elapsed, await kids(store)))
            self.signed.append((self.elapsed, await signer(store)))
        for _, kid in self.signed[-2:]:
            for when, known in self.fetched:
                age = self.elapsed - when
                assert age > self.max_age or kid in known, f"a set fetched {age} s ago does not have the key that signs"
        for _, published in self.fetched[-2:]:
            assert len(published) == len(set(published))
            for when, kid in self.signed:
                age = self.elapsed - when
                assert age >= self.retain or kid in published, f"a token of {age} s ago cannot be verified"


def told(steps: list[tuple[str, float]], horizon: Horizon) -> None:
    async def story(folder: Path) -> None:
        witness = Witness(folder, horizon)
        await witness.look()
        for what, amount in steps:
            await witness.step(what, amount)
            await witness.look()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=12))
@example([("rotate", 0.0), (EDGES[1], -0.001), (EDGES[0], -0.001), (EDGES[0], 0.0), (EDGES[2], -0.001)])
@example([("wait", 0.5), ("rotate", 0.0), (EDGES[0], -0.001), (EDGES[0], 0.0), ("rotate", 1.0), ("wait", 3659.0), (EDGES[2], 0.0)])
def test_a_verifier_that_caches_for_max_age_never_meets_an_unknown_key(steps: list[tuple[str, float]]) -> None:
    told(steps, Horizon())


@settings(max_examples=60, deadline=None)
@given(st.lists(FORWARD, min_size=1, max_size=12), st.sampled_from(HORIZONS))
@example([("rotate", 0.0), (EDGES[1], 0.0), (EDGES[0], -0.001), (EDGES[0], 0.0), (EDGES[2], -0.001)], HORIZONS[0])
@example([("rotate", 0.0), (EDGES[1], 0.0), (EDGES[0], -0.001), (EDGES[0], 0.0), (EDGES[2], -0.001)], HORIZONS[1])
@example([("rotate", 0.0), (EDGES[1], 0.0), (EDGES[0], -0.001), (EDGES[0], 0.0), (EDGES[2], -0.001)], HORIZONS[2])
def test_nor_does_it_where_other_times_are_promised(steps: list[tuple[str, float]], horizon: Horizon) -> None:
    told(steps, horizon)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["wait", "rotate", "compromised"]), st.floats(0, 1000)), min_size=1, max_size=12))
def test_a_withdrawn_key_never_comes_back(steps: list[tuple[str, float]]) -> None:
    async def story(folder: Path) -> None:
        clock, withdrawn = MovableClock(), set[str]()
        stores = [kept(folder, clock), kept(folder, clock)]
        for what, amount in steps:
            if what == "wait":
                clock.move(amount)
            elif what == "rotate":
                await stores[0].rotate("default")
            else:
                withdrawn |= set(await kids(stores[0]))
                await stores[0].rotate("default", compromised=True)
                clock.move(1)
            for store in stores:
                assert await signer(store) in await kids(store)
                assert not withdrawn & set(await kids(store))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
