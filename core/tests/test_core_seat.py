"""What a plugin may lean on: its own table, its own corner of the store, its zone; and what it runs beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from pydantic import Field

from cambist import Host, Mark, Observer, Policy, Record, Shape, Store, Unavailable, ZoneHost, hookimpl
from cambist.hooks import SettingsRefused
from cambist.keys import EphemeralKeys, Horizon, KeyStore
from cambist.seat import Ground, Seat
from cambist.store import MemoryStore
from cambist.testing import AllowAll, MovableClock, open_sts
from cambist.zone import Zone


class Table(Shape):
    """A table."""

    colour: str = Field("red", description="Its colour.")


def seat(**more: Any) -> Seat:
    began: list[str] = more.pop("began", [])

    def background(name: str, work: Coroutine[Any, Any, None]) -> None:
        began.append(name)
        work.close()

    anything: Any = object()
    ground = Ground(http=anything, jwts=anything, clock=MovableClock(5), issuer="https://sts.test", background=background)
    return Seat(**{"plugin": "p", "path": "plugins.p", "table": {}, "ground": ground, **more})


def test_a_seat_offers_what_the_ground_has() -> None:
    found = seat()
    assert (found.http, found.jwts, found.clock(), found.issuer) == (found.ground.http, found.ground.jwts, 5, "https://sts.test")


def test_a_table_is_read_once_for_all_who_ask_for_the_same_shape() -> None:
    """Zones are looked at before they open: a plugin that trusts thousands must not be read twice for it."""

    class Other(Table):
        """Another shape of the same table."""

    first = seat(table={"colour": "blue"})
    again = seat(table={"colour": "blue"}, ground=first.ground)
    assert again.settings(Table) is first.settings(Table)
    assert again.claimed
    assert type(again.settings(Other)) is Other


async def test_a_plugin_is_told_how_long_a_rotation_must_wait() -> None:
    """For the verifiers that keep key sets the longest, and for the tokens that live the longest, whichever zone they are of."""
    seen: list[Horizon] = []

    class Keeping:
        @hookimpl
        def cambist_keystores(self, host: Host) -> Iterator[KeyStore]:
            seen.append(host.horizon)
            yield EphemeralKeys(host.clock)

    settings = {"jwks_max_age": 120, "max_ttl": 600, "zones": {"b": {"max_ttl": 7200}}}
    async with open_sts(settings, modules={"keeping": Keeping()}):
        assert seen == [Horizon(max_age=120, lifetime=7200)]


def test_a_seat_in_a_zone_knows_the_zone_and_its_issuer() -> None:
    zone = Zone(id="b", issuer="https://b.test")
    assert (seat(within=zone).zone, seat(within=zone).issuer) == (zone, "https://b.test")
    with pytest.raises(LookupError, match="only what judges"):
        _ = seat().zone


async def test_the_store_of_a_plugin_is_its_own_corner() -> None:
    shared = MemoryStore(MovableClock())
    one, other = seat(shared=shared).store, seat(shared=shared, plugin="q").store
    await one.put("k", b"v")
    assert (await one.get_many(["k"]), await other.get_many(["k"])) == ({"k": b"v"}, {})
    mark = Mark(kind="m", key="k", expires_at=2e9)
    assert [await one.claim([mark]), await other.claim([mark]), await one.claim([mark])] == [None, None, mark]
    with pytest.raises(LookupError, match="no store yet"):
        _ = seat().store


def test_a_table_is_claimed_by_asking_for_it() -> None:
    asked = seat(table={"colour": "blue"})
    assert asked.unclaimed() == ["plugins.p.colour: plugin p takes no settings"]
    assert asked.settings(Table) == Table(colour="blue")
    assert asked.unclaimed() == []
    assert seat().unclaimed() == []


def test_a_table_with_problems_notes_them_and_stops_the_plugin() -> None:
    asked = seat(table={"colour": 5, "color": "x"})
    with pytest.raises(SettingsRefused):
        asked.settings(Table)
    assert asked.problems == ["plugins.p.colour: Input should be a valid string", "plugins.p.color: unknown; did you mean colour?"]


def test_the_secrets_of_a_table_are_not_printed() -> None:
    assert "hunter2" not in repr(seat(table={"password": "hunter2"}))


async def test_what_runs_beside_is_named_after_its_plugin() -> None:
    began: list[str] = []
    seat(began=began).background("watch", asyncio.sleep(0))
    assert began == ["p: watch"]


# ── beside the requests, and ready ──────────────────────────────────────────────────────────────────────


class Beside(AllowAll):
    """A policy that runs something, in each zone."""

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work, self.ended = work, 0

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        host.background("watch", self._run())
        yield self

    async def _run(self) -> None:
        try:
            await self.work()
        finally:
            self.ended += 1


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_runs_beside_is_cancelled_when_the_service_closes() -> None:
    """All of it, though several may bear one name."""
    beside = Beside(forever)
    async with open_sts({"zones": {"b": {}}}, modules={"beside": beside}) as running:
        await running.sts.zones.named("b")
        await asyncio.sleep(0.01)
        assert (await running.sts.ready())["beside: watch"] == "ok"
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "beside: watch"]) > 1
    assert beside.ended > 1
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "beside: watch"]


@pytest.mark.row("F-ready")
async def test_the_failure_of_what_runs_beside_is_visible(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise OSError("watch lost")

    async with open_sts({}, modules={"beside": Beside(fails)}) as running:
        await asyncio.sleep(0)
        answered = await running.http.get("/ready")
        assert (answered.status_code, answered.json()["checks"]["beside: watch"]) == (503, "stopped")
    assert "beside: watch ended" in caplog.text


async def test_what_would_end_the_process_ends_its_own_task(caplog: pytest.LogCaptureFixture) -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    async with open_sts({}, modules={"beside": Beside(leaves)}) as running:
        await asyncio.sleep(0.01)
        assert (await running.sts.ready())["beside: watch"] == "stopped"
    assert "beside: watch ended" in caplog.text


async def test_the_tables_of_all_plugins_can_be_asked_for_by_their_paths() -> None:
    class Painted(AllowAll):
        @hookimpl
        def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
            host.settings(Table)
            yield self

    tables = {"painted": {"colour": "blue"}}
    async with open_sts({"plugins": tables, "zones": {"b": {}}}, modules={"painted": Painted()}) as running:
        assert dict(running.sts.claims) == {"plugins.painted": Table(colour="blue"), "zones.b.plugins.painted": Table()}


@pytest.mark.row("F-ready")
async def test_what_has_done_its_work_is_well() -> None:
    async def done() -> None:
        return None

    async with open_sts({}, modules={"beside": Beside(done)}) as running:
        await asyncio.sleep(0)
        assert (await running.http.get("/ready")).json() == {"status": "ok", "checks": {"beside: watch": "ok", "zone default": "ok"}}


class Pinged(MemoryStore):
    """A store, and an observer, that say whether they work."""

    required = False

    def __init__(self, says: Any) -> None:
        super().__init__(MovableClock())
        self.says = says

    async def ping(self) -> None:
        if isinstance(self.says, Exception):
            raise self.says
        await asyncio.sleep(self.says)

    async def observe(self, record: Record) -> None:
        return None


class Pings:
    """A plugin of what can be pinged."""

    def __init__(self, store: Any = 0, observer: Any = 0) -> None:
        self.store, self.observer = Pinged(store), Pinged(observer)

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        yield self.store

    @hookimpl
    def cambist_observers(self, host: Host) -> Iterator[Observer]:
        yield self.observer


@pytest.mark.row("F-ready")
@pytest.mark.parametrize(
    ("says", "state"),
    [
        (Unavailable(what="redis", cause="connection refused"), "connection refused"),
        (Unavailable(), "temporarily_unavailable"),
        (KeyError("secret"), "KeyError"),
    ],
)
@pytest.mark.parametrize("which", ["store", "observer"])
async def test_each_dependency_is_told_by_name_and_what_is_wrong_with_it(says: Exception, state: str, which: str) -> None:
    """Also where one thing of a plugin is well and another is not."""
    pings = Pings(**{which: says})
    async with open_sts({}, modules={"pings": pings}) as running:
        answered = await running.http.get("/ready")
        assert (answered.status_code, answered.json()["checks"]) == (503, {"pings": state, "zone default": "ok"})
        pings.store.says = pings.observer.says = 0
        assert (await running.http.get("/ready")).status_code == 200


@pytest.mark.row("F-ready")
async def test_a_dependency_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.readiness.PING_TIMEOUT", 0.02)
    async with open_sts({}, modules={"pings": Pings(5)}) as running:
        assert (await running.sts.ready())["pings"] == "no answer in time"


@pytest.mark.row("F-ready")
async def test_what_judges_in_a_zone_is_told_with_its_zone() -> None:
    class Pinging(AllowAll):
        async def ping(self) -> None:
            raise Unavailable(what="opa", cause="bundle is stale")

    async with open_sts({"zones": {"b": {}}}, modules={"judge": Pinging()}) as running:
        assert await running.sts.ready() == {"zone default": "ok"}
        await running.sts.zones.named("b")
        checks = await running.sts.ready()
        assert checks == {"zone default: judge": "bundle is stale", "zone b: judge": "bundle is stale", "zone default": "ok"}
        assert [name for name, _ in running.sts.offered("b")] == ["judge"]
