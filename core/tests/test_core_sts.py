"""The service opens in order, only when everything is right, and closes in reverse; a zone opens when it is first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Self

import pytest

from cambist import DidNotStart, Host, Observer, Policy, Record, Store, Unavailable, ZoneHost, hookimpl
from cambist.keys import EphemeralKeys, KeyStore
from cambist.store import MemoryStore
from cambist.testing import AllowAll, Forge, MovableClock, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT

API = "https://api.example.test"


class Opens:
    """Something that writes down when it opens and closes, and may fail at it."""

    def __init__(self, name: str, log: list[str], fails: Exception | None = None) -> None:
        self.label, self.log, self.fails = name, log, fails

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.log.append(f"+{self.label}")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.log.append(f"-{self.label}")


class OpeningStore(MemoryStore, Opens):
    def __init__(self, log: list[str], fails: Exception | None = None) -> None:
        MemoryStore.__init__(self, MovableClock())
        Opens.__init__(self, "store", log, fails)


class OpeningKeys(EphemeralKeys, Opens):
    def __init__(self, log: list[str]) -> None:
        EphemeralKeys.__init__(self, MovableClock())
        Opens.__init__(self, "keys", log)


class OpeningObserver(Opens):
    required = True

    async def observe(self, record: Record) -> None:
        self.log.append("record")


class OpeningPolicy(AllowAll, Opens):
    def __init__(self, log: list[str], zone: str, fails: Exception | None = None) -> None:
        AllowAll.__init__(self)
        Opens.__init__(self, zone, log, fails)


class Keeping:
    """A plugin that offers all that keeps. It is its own plugin module, as are those below."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        yield OpeningStore(self.log)

    @hookimpl
    def cambist_keystores(self, host: Host) -> Iterator[KeyStore]:
        yield OpeningKeys(self.log)

    @hookimpl
    def cambist_observers(self, host: Host) -> Iterator[Observer]:
        yield OpeningObserver("observer", self.log)


class Judging:
    """A policy for each zone, one of which may be broken."""

    def __init__(self, log: list[str], broken_zone: str = "") -> None:
        self.log, self.broken_zone = log, broken_zone

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        yield OpeningPolicy(self.log, host.zone.id, OSError("no bundle") if host.zone.id == self.broken_zone else None)


ZONES: dict[str, Any] = {"authenticates": [JWT], "zones": {"b": {"authenticates": [JWT]}, "c": {"authenticates": [JWT]}}}


def forge() -> Forge:
    return Forge("https://issuer.example.test", "https://sts.example.test", MovableClock())


async def shut(settings: dict[str, Any], **modules: Any) -> list[str]:
    with pytest.raises(DidNotStart) as refused:
        async with open_sts(settings, modules=modules):
            pass
    return refused.value.problems


async def ask(running: Running, issuer: Forge, zone: str) -> tuple[int, str | None]:
    answered = await running.json(subject_token=issuer.jwt(), audience=API, zone_id=zone)
    return answered.status_code, answered.json().get("reason")


# ── opening and closing ─────────────────────────────────────────────────────────────────────────────────


async def test_what_keeps_opens_first_zones_on_first_use_and_all_close_in_reverse() -> None:
    log: list[str] = []
    issuer = forge()
    async with open_sts(ZONES, modules={"all": Judging(log), "keeps": Keeping(log), "trusting": Trusting(issuer)}) as running:
        assert log == ["+store", "+keys", "+observer"]
        assert not running.sts.zones.opened
        for zone in ("c", "default", "c"):
            assert await ask(running, issuer, zone) == (200, None)
        assert running.sts.zones.opened == ("c", "default")
    assert " ".join(log[:8]) == "+store +keys +observer +c record +default record record"
    assert " ".join(log[8:]) == "-default -c -observer -keys -store"


async def test_many_first_requests_open_a_zone_once() -> None:
    log: list[str] = []
    issuer = forge()
    async with open_sts(ZONES, modules={"all": Judging(log), "trusting": Trusting(issuer)}) as running:
        opened = await asyncio.gather(*(running.sts.zones.named("b") for _ in range(10)))
        assert opened == [opened[0]] * 10
        assert set(await asyncio.gather(*(ask(running, issuer, "b") for _ in range(10)))) == {(200, None)}
    assert log == ["+b", "-b"]


@pytest.mark.row("F-zone")
@pytest.mark.row("F-ready")
async def test_a_zone_that_cannot_open_refuses_alone() -> None:
    log: list[str] = []
    issuer = forge()
    judging = Judging(log, broken_zone="b")
    clock = MovableClock()
    async with open_sts(ZONES, modules={"all": judging, "trusting": Trusting(issuer)}, clock=clock) as running:
        assert await ask(running, issuer, "b") == (503, "temporarily_unavailable")
        assert await ask(running, issuer, "default") == await ask(running, issuer, "c") == (200, None)
        assert (await running.sts.ready())["zone default"] == "ok"
        refusal = running.records[0].refusal
        assert refusal is not None
        assert (refusal.facts["what"], refusal.facts["cause"]) == ("zone b", "plugin all cannot open: OSError: no bundle")
        judging.broken_zone = ""
        clock.move(60)
        issuer.clock = clock
        assert await ask(running, issuer, "b") == (200, None)
    assert log == ["+default", "+c", "+b", "-b", "-c", "-default"]


async def test_a_default_zone_that_cannot_open_is_seen_in_ready() -> None:
    async with open_sts({}, modules={"all": Judging([], broken_zone="default")}) as running:
        answered = await running.http.get("/ready")
        assert (answered.status_code, answered.json()["status"]) == (503, "unavailable")
        assert "no bundle" in answered.json()["checks"]["zone default"]


async def test_what_opened_closes_when_something_later_does_not_open() -> None:
    class Late:
        @hookimpl
        def cambist_keystores(self, host: Host) -> Iterator[KeyStore]:
            raise OSError("token removed")

    log: list[str] = []

    class Stores:
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            yield OpeningStore(log)

    assert await shut({}, stores=Stores(), late=Late()) == ["plugins.late: plugin late cannot open: OSError: token removed"]
    assert log == ["+store", "-store"]


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (OSError("locked"), "plugins.stores: plugin stores cannot open: OSError: locked"),
        (Unavailable(what="the database", cause="disk full"), "cause: disk full"),
    ],
)
async def test_what_cannot_open_keeps_it_shut_and_says_which_and_why(fails: Exception, said: str) -> None:
    class Stores:
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            yield OpeningStore([], fails)

    (only,) = await shut({}, stores=Stores())
    assert only.startswith("plugins.stores: plugin stores cannot open: ")
    assert said in only
