"""What opens slowly, badly, or only sometimes: it keeps itself shut and nobody else, and what passes through it is not swallowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from cambist import Credential, DidNotStart, Host, Policy, Role, Store, Validator, ZoneHost, hookimpl
from cambist.credential import NOTHING
from cambist.errors import Unavailable, ZoneUnknown
from cambist.judges import judging
from cambist.settings import parse
from cambist.store import MemoryStore
from cambist.sts import Sts
from cambist.testing import ISSUER, AllowAll, Forge, MovableClock, open_sts
from cambist.testing.service import AtHand
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT


class Moody(AllowAll):
    """A policy that opens, closes and pings as the test says. It is its own plugin module."""

    def __init__(self) -> None:
        super().__init__()
        self.hook: Any = lambda: None
        self.opens: Any = lambda: None
        self.closes: Any = lambda: None
        self.pings: Any = lambda: None
        self.asked = []

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        self.hook()
        yield self

    async def __aenter__(self) -> None:
        await _done(self.opens)

    async def __aexit__(self, *error: object) -> None:
        await _done(self.closes)

    async def ping(self) -> None:
        await _done(self.pings)


async def _done(does: Any) -> None:
    found = does()
    if asyncio.iscoroutine(found):
        await found


def raises(error: BaseException) -> Any:
    def does() -> None:
        raise error

    return does


async def test_a_zone_that_did_not_open_is_not_tried_again_at_each_request() -> None:
    clock, moody, tried = MovableClock(), Moody(), []

    def opens() -> None:
        tried.append(1)
        raise OSError("locked")

    moody.opens = opens
    async with open_sts({}, modules={"moody": moody}, clock=clock) as running:
        for _ in range(5):
            with pytest.raises(Unavailable) as refused:
                await running.sts.zones.named("default")
            assert refused.value.facts["cause"] == "plugin moody cannot open: OSError: locked"
        assert len(tried) == 1
        clock.move(10)
        moody.opens = lambda: None
        assert (await running.sts.zones.named("default")).policy is moody


async def test_a_zone_whose_plugin_stops_offering_refuses_with_its_problems() -> None:
    moody = Moody()
    async with open_sts({"zones": {"b": {}}}, modules={"moody": moody}) as running:
        moody.hook = raises(OSError("gone"))
        with pytest.raises(Unavailable) as refused:
            await running.sts.zones.named("b")
    assert refused.value.facts["cause"] == ["zones.b.plugins.moody: plugin moody cannot open: OSError: gone"]


async def test_what_was_offered_when_the_service_opened_is_put_to_work_in_the_zone_that_opens_with_it_and_only_once() -> None:
    """A start does nothing twice; what failed to open once, and what another zone is offered, is asked for when it is needed."""
    clock, moody, asked = MovableClock(), Moody(), []
    moody.hook = lambda: asked.append(1)
    moody.opens = raises(OSError("locked"))
    async with open_sts({"zones": {"b": {}}}, modules={"moody": moody}, clock=clock) as running:
        assert len(asked) == 2  # every zone is looked at
        with pytest.raises(Unavailable):
            await running.sts.zones.named("default")
        assert len(asked) == 2
        clock.move(10)
        moody.opens = lambda: None
        await running.sts.zones.named("default")
        assert len(asked) == 3
        await running.sts.zones.named("b")
        assert len(asked) == 4
        await running.sts.zones.named("default")
        await running.sts.zones.named("b")
        assert len(asked) == 4


async def test_a_zone_that_hangs_while_it_opens_keeps_no_other_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.open_zones.OPENING", 0.05)
    moody = Moody()
    async with open_sts({"zones": {"b": {}}}, modules={"moody": moody}) as running:
        moody.opens = lambda: asyncio.sleep(60)
        hanging = asyncio.ensure_future(running.sts.zones.named("b"))
        await asyncio.sleep(0)
        moody.opens = lambda: None
        assert (await running.sts.zones.named("default")).zone.id == "default"
        with pytest.raises(Unavailable) as refused:
            await hanging
    assert "it did not open within 0.05 seconds" in str(refused.value.facts["cause"])


async def test_a_zone_that_is_not_declared_is_unknown() -> None:
    async with open_sts({}) as running:
        with pytest.raises(ZoneUnknown):
            await running.sts.zones.named("nowhere")


async def test_what_fails_to_close_is_told_and_the_rest_closes(caplog: pytest.LogCaptureFixture) -> None:
    closed, moody = [], Moody()

    def closes() -> None:
        closed.append(1)
        if len(closed) == 1:
            raise OSError("stuck")

    moody.closes = closes
    async with open_sts({"zones": {"b": {}}}, modules={"moody": moody}) as running:
        await running.sts.zones.named("default")
        await running.sts.zones.named("b")
    assert len(closed) == 2
    assert "plugin moody did not close: OSError" in caplog.text


async def test_what_runs_beside_and_will_not_end_is_told_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambist.sts.CLOSING", 0.02)
    ends = asyncio.Event()

    async def deaf() -> None:
        while not ends.is_set():
            try:
                await ends.wait()
            except asyncio.CancelledError:
                continue

    class Deaf(AllowAll):
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            host.background("deaf", deaf())
            yield MemoryStore(MovableClock())

    async with open_sts({}, modules={"deaf": Deaf()}):
        await asyncio.sleep(0)
    assert "deaf: deaf does not end" in caplog.text
    ends.set()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("where", ["hook", "opens"])
async def test_the_operators_interrupt_is_not_swallowed(where: str) -> None:
    moody = Moody()
    async with open_sts({"zones": {"b": {}}}, modules={"moody": moody}) as running:
        setattr(moody, where, raises(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            await running.sts.zones.named("b")
        setattr(moody, where, lambda: None)
        await running.sts.zones.named("b")
        moody.pings = raises(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            await running.sts.ready()
        moody.closes = raises(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            await running.sts.zones.close()


async def test_an_interrupt_while_what_keeps_opens_is_not_swallowed() -> None:
    class Stores:
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with open_sts({}, modules={"stores": Stores()}):
            pass


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), OSError("x")])
async def test_what_a_hook_raises_by_itself_keeps_it_shut(error: BaseException) -> None:
    moody = Moody()
    moody.hook = raises(error)
    with pytest.raises(DidNotStart, match=f"plugin moody cannot open: {type(error).__name__}"):
        async with open_sts({}, modules={"moody": moody}):
            pass


async def test_a_policy_without_a_name_that_can_be_chosen_keeps_it_shut() -> None:
    moody = Moody()
    moody.name = 5  # type: ignore[assignment]  # what a plugin offers can be anything
    with pytest.raises(DidNotStart, match="its name is no text"):
        async with open_sts({}, modules={"moody": moody}):
            pass


async def test_one_plugin_offers_one_store() -> None:
    class Two:
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            yield from (MemoryStore(MovableClock()), MemoryStore(MovableClock()))

    with pytest.raises(DidNotStart, match="plugin two offers more than one for `store`"):
        async with open_sts({}, modules={"two": Two()}):
            pass


async def test_two_that_ask_first_for_a_zone_open_it_once() -> None:
    opened: list[int] = []

    async def slowly() -> None:
        opened.append(1)
        await asyncio.sleep(0.01)

    moody = Moody()
    moody.opens = slowly
    async with open_sts({"zones": {"other": {}}}, modules={"moody": moody}) as running:
        before = len(opened)
        one, two = await asyncio.gather(running.sts.zones.named("other"), running.sts.zones.named("other"))
        assert one is two
        assert len(opened) == before + 1


async def test_two_policies_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(DidNotStart, match="policy: 'scripted' is offered by one and by other"):
        async with open_sts({}, modules={"one": Moody(), "other": Moody()}):
            pass


# ── what keeps, alone ───────────────────────────────────────────────────────────────────────────────────


class Keeping:
    """A plugin that offers a store, and counts how many of them are open."""

    def __init__(self, number: int = 1) -> None:
        self.number, self.opened = number, [0]

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        for _ in range(self.number):
            yield OpenedStore(self)


class OpenedStore(MemoryStore):
    def __init__(self, plugin: Keeping) -> None:
        super().__init__(MovableClock())
        self.plugin = plugin

    async def __aenter__(self) -> None:
        self.plugin.opened[0] += 1

    async def __aexit__(self, *error: object) -> None:
        self.plugin.opened[0] -= 1


def unopened(keeping: Keeping) -> Sts:
    """A service whose policy is in trouble."""
    moody = Moody()
    moody.opens = raises(OSError("locked"))
    settings = parse({"issuer": ISSUER, "plugins": {"moody": {}, "keeping": {}}})
    return Sts(settings, clock=MovableClock(), finder=AtHand({"moody": moody, "keeping": keeping}))


async def test_what_keeps_opens_alone_while_the_rest_cannot_and_closes_again() -> None:
    """Somebody is cut off, and a key withdrawn, also while a policy is in trouble."""
    keeping = Keeping()
    async with unopened(keeping).only_store() as store:
        await store.put("a", b"1")
        assert keeping.opened == [1]
    assert keeping.opened == [0]
    async with unopened(keeping).only_keys() as keys:
        assert (await keys.signing("default")).kid in {key["kid"] for key in await keys.published("default")}
        assert keeping.opened == [1]
    assert keeping.opened == [0]


async def test_a_store_can_be_had_as_it_is_offered_without_opening_it() -> None:
    keeping = Keeping()
    async with unopened(keeping).closed_store() as store:
        assert isinstance(store, OpenedStore)
        assert keeping.opened == [0]


async def test_what_is_wrong_with_what_keeps_is_told_by_the_part_too() -> None:
    with pytest.raises(DidNotStart, match="plugin keeping offers more than one for `store`"):
        async with unopened(Keeping(2)).only_store():
            pass


async def looked_into(**modules: Any) -> list[str]:
    """Who judges in the default zone, by name, while the policy cannot open."""
    moody = Moody()
    moody.opens = raises(OSError("locked"))
    settings = parse({"issuer": ISSUER, "plugins": {name: {} for name in ("moody", *modules)}})
    sts = Sts(settings, clock=MovableClock(), finder=AtHand({"moody": moody, **modules}))
    async with sts.only_judges() as zones, judging(zones, settings.zones["default"]) as judges:
        credential = Credential(token=FORGE.jwt(), token_type=JWT, role=Role.SUBJECT)
        assert (await judges.guard.prove(credential, NOTHING)).identity.issuer == FORGE.issuer
        return [seated.plugin for seated in judges.seated if FORGE.issuer in (seated.issuers or ())]


FORGE = Forge("https://issuer.example.test", ISSUER, MovableClock())


async def test_what_judges_is_at_work_without_a_policy() -> None:
    assert await looked_into(trusting=Trusting(FORGE)) == ["trusting"]


async def test_two_that_cannot_both_judge_do_not_start_alone_either() -> None:
    with pytest.raises(DidNotStart, match="one and other both take"):
        await looked_into(one=Trusting(FORGE), other=Trusting(FORGE))


async def test_what_cannot_offer_its_judges_is_told() -> None:
    class Broken:
        @hookimpl
        def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
            raise OSError("no such file")

    with pytest.raises(DidNotStart, match="plugin broken cannot open: OSError: no such file"):
        await looked_into(broken=Broken(), trusting=Trusting(FORGE))
