"""The rules for whoever is told of every decision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any

import pytest

from ...audit import Observer, Record
from ...client_secret import hash_secret
from ...hooks import CanFind
from ...token_type import JWT
from ..clock import MovableClock
from ..forge import Forge
from ..service import ISSUER, Running, open_sts
from ..trusting import Trusting
from .offering import OfferedObserver
from .out_of_reach import says_so
from .seam import gaps

Opened = Callable[[MovableClock], AbstractAsyncContextManager[Observer]]
Story = Callable[[Running, Forge, Observer], Coroutine[Any, Any, None]]
FOREIGN = "https://issuer.example.test"
TARGET = "https://api.example.test"
SECRET = "the-secret-of-an-application"
HOSTILE = ('x"}\n{"outcome":"permitted"', "x\r\nx", "\u2028", "\x1b[31m", "y" * 1000)


class ObserverContract:
    """Subclass it, and supply `opened` and `told`: how many decisions the observer took, and everything it wrote as one text."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens the observer")

    @pytest.fixture
    def cut_off(self) -> Iterable[Opened]:
        """The same for observers that cannot keep what they are told, one for each way in which that can be."""
        return ()

    def told(self, observer: Observer) -> tuple[int, str]:
        raise NotImplementedError("say how many decisions it took, and everything it wrote")

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story() -> None:
            async with opened(MovableClock()) as observer:
                lacking = gaps(observer, Observer)
                assert not lacking, f"{lacking} (docs/reference/hooks.md)"
                assert isinstance(observer.required, bool), "`required` is neither true nor false (docs/reference/hooks.md)"

        asyncio.run(story())

    def test_it_takes_one_record_for_each_decision(self, opened: Opened) -> None:
        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            for n, token in enumerate((forge.jwt(), forge.jwt(exp=1), "junk")):
                await running.form(subject_token=token, audience=TARGET)
                assert self.told(observer)[0] == 2 * n + 1, "when the answer leaves, its record is not kept, or kept twice (SECURITY.md)"
                await running.json(subject_token=token, audience=TARGET)
            assert self.told(observer)[0] == 6, "a decision has no record, or two (SECURITY.md: exactly one)"

        _with(opened, story)

    def test_records_of_many_at_once_are_all_there(self, opened: Opened) -> None:
        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            tokens = [forge.jwt(sub=f"workload-{n}") for n in range(30)]
            await asyncio.gather(*(running.form(subject_token=token, audience=TARGET) for token in tokens))
            kept = self.told(observer)[0]
            assert kept == 30, f"of thirty decisions at once it took {kept} (SECURITY.md: every decision has exactly one record)"

        _with(opened, story)

    def test_no_credential_is_in_what_it_writes(self, opened: Opened) -> None:
        """A trace holds what was presented: what is written of it is chosen, member by member."""

        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            good, bad = forge.jwt(), forge.jwt(exp=1)
            answer = await running.form(subject_token=good, audience=TARGET, scope="read", client_id="shop", client_secret=SECRET)
            assert answer.status_code == 200, answer.text
            await running.json(subject_token=bad, actor_token=good, audience=TARGET)
            written = self.told(observer)[1]
            assert SECRET not in written, "the secret of an application is in the record (SECURITY.md, CWE-532)"
            for token in (good, bad, answer.json()["access_token"]):
                parts = [part for part in token.split(".") if part[-24:] in written]
                assert not parts, f"a credential, or a part of one, is in the record: {parts} (SECURITY.md, CWE-532)"

        _with(opened, story)

    def test_hostile_text_does_not_break_out_of_a_record(self, opened: Opened) -> None:
        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            for subject in HOSTILE:
                await running.form(subject_token=forge.jwt(sub=subject), audience=TARGET)
            kept = self.told(observer)[0]
            assert kept == len(HOSTILE), f"a text that a stranger chose made {kept} records of {len(HOSTILE)} (CWE-117)"

        _with(opened, story)

    def test_what_it_can_find_is_what_it_was_told(self, opened: Opened) -> None:
        """Only observers that have `find` can; `cambist explain` asks them."""

        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            answer = await running.form(subject_token=forge.jwt(exp=1), audience=TARGET)
            if isinstance(observer, CanFind):
                found = await observer.find(answer.json()["decision_id"])
                assert found is not None, "it does not find a decision that it was told of"
                assert "credential_expired" in str(found), "what it finds does not say how the decision ended"
                assert await observer.find("of no decision") is None, "it finds a decision that there never was: answer None"

        _with(opened, story)

    def test_what_it_cannot_keep_is_said(self, cut_off: Iterable[Opened]) -> None:
        """Where `required` is true nothing is issued then."""

        async def story(running: Running, forge: Forge, observer: Observer) -> None:
            await says_so("observe", _observed(observer))
            answer = await running.form(subject_token=forge.jwt(), audience=TARGET)
            assert (answer.status_code == 200) is not observer.required, f"it kept no record, and the answer was {answer.text}"

        for opened in cut_off:
            _with(opened, story)


async def _observed(observer: Observer) -> None:
    """It may fail at once, or while it is waited for."""
    await observer.observe(await _record())


async def _record() -> Record:
    """A decision that was told to somebody else."""
    async with open_sts({"authenticates": [JWT]}, modules={"trusting": Trusting()}) as running:
        await running.form(subject_token="junk", audience=TARGET)
        return running.records[0]


@cache
def _hashed() -> str:
    """Once, for it is slow on purpose."""
    return hash_secret(SECRET)


def _with(opened: Opened, story: Story) -> None:
    async def run() -> None:
        async with _running(opened) as (running, forge, observer):
            await story(running, forge, observer)

    asyncio.run(run())


@asynccontextmanager
async def _running(opened: Opened) -> AsyncIterator[tuple[Running, Forge, Observer]]:
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    settings = {"authenticates": [JWT], "applications": {"shop": {"secret_hash": _hashed()}}}
    async with opened(clock) as observer:
        modules = {"trusting": Trusting(forge), "observer": OfferedObserver(observer)}
        async with open_sts(settings, modules=modules, clock=clock) as running:
            yield running, forge, observer
