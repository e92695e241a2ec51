"""The rules for whoever is told of every decision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from ...audit import Observer
from ...hooks import Host, hookimpl
from ..clock import MovableClock
from ..forge import Forge
from ..service import ISSUER, Running, open_sts

Opened = Callable[[MovableClock], AbstractAsyncContextManager[Observer]]
FOREIGN = "https://issuer.example.test"
TARGET = "https://api.example.test"


@dataclass(frozen=True)
class Offered:
    """An observer, offered as a plugin would offer it."""

    observer: Observer

    @hookimpl
    def cambist_observers(self, host: Host) -> list[Observer]:
        return [self.observer]


class ObserverContract:
    """Subclass it, and supply `opened` and `told`: how many decisions the observer took, and everything it wrote as one text."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens the observer")

    def told(self, observer: Observer) -> tuple[int, str]:
        raise NotImplementedError("say how many decisions it took, and everything it wrote")

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story() -> None:
            async with opened(MovableClock()) as observer:
                assert isinstance(observer, Observer), "it lacks required or observe (docs/reference/hooks.md)"

        asyncio.run(story())

    def test_it_takes_one_record_for_each_decision(self, opened: Opened) -> None:
        async def story() -> None:
            async with _running(opened) as (running, forge, observer):
                before = self.told(observer)[0]
                for token in (forge.jwt(), forge.jwt(exp=1), "junk"):
                    await running.form(subject_token=token, audience=TARGET)
                    await running.json(subject_token=token, audience=TARGET)
                assert self.told(observer)[0] - before == 6, "a decision has no record, or two (invariant I12)"

        asyncio.run(story())

    def test_records_of_many_at_once_are_all_there(self, opened: Opened) -> None:
        async def story() -> None:
            async with _running(opened) as (running, forge, observer):
                tokens = [forge.jwt(sub=f"workload-{n}") for n in range(30)]
                await asyncio.gather(*(running.form(subject_token=token, audience=TARGET) for token in tokens))
                assert self.told(observer)[0] == 30

        asyncio.run(story())

    def test_no_credential_is_in_what_it_writes(self, opened: Opened) -> None:
        async def story() -> None:
            async with _running(opened) as (running, forge, observer):
                good, bad = forge.jwt(), forge.jwt(exp=1)
                answer = await running.form(subject_token=good, audience=TARGET, scope="read")
                await running.json(subject_token=bad, audience=TARGET)
                written = self.told(observer)[1]
                for token in (good, bad, answer.json()["access_token"]):
                    for part in token.split("."):
                        assert part[-24:] not in written, "a credential, or a part of one, is in the record (invariant I10)"

        asyncio.run(story())

    def test_hostile_text_does_not_break_out_of_a_record(self, opened: Opened) -> None:
        async def story() -> None:
            async with _running(opened) as (running, forge, observer):
                for subject in ('x"}\n{"outcome":"permitted"', "x\r\nx", "\u2028", "\x1b[31m", "y" * 1000):
                    await running.form(subject_token=forge.jwt(sub=subject), audience=TARGET)
                assert self.told(observer)[0] == 5, "a text that a stranger chose makes records of its own (security.md H13)"

        asyncio.run(story())


@asynccontextmanager
async def _running(opened: Opened) -> AsyncIterator[tuple[Running, Forge, Observer]]:
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    issuers = [{"issuer": FOREIGN, "jwks": forge.jwks}]
    settings = {"authenticates": ["urn:ietf:params:oauth:token-type:jwt"], "plugins": {"jwt": {"issuers": issuers}}}
    async with opened(clock) as observer, open_sts(settings, modules={"observer": Offered(observer)}, clock=clock) as running:
        yield running, forge, observer
