"""Who takes which place is settled before the service opens: takers, policies, stores, keys, and every plugin's table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field

from cambist import DidNotStart, Host, Observer, Policy, Shape, Store, ZoneHost, hookimpl
from cambist.keys import EphemeralKeys
from cambist.store import MemoryStore
from cambist.testing import AllowAll, Forge, MovableClock, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT


def forge() -> Forge:
    return Forge("https://issuer.example.test", "https://sts.example.test", MovableClock())


async def shut(settings: dict[str, Any], **modules: Any) -> list[str]:
    with pytest.raises(DidNotStart) as refused:
        async with open_sts(settings, modules=modules):
            pass
    return refused.value.problems


class Offers:
    """A plugin that offers, through one hook, what it was given."""

    def __init__(self, hook: str, *things: object) -> None:
        setattr(self, hook, hookimpl(lambda host: iter(things)))


async def test_two_that_take_one_credential_keep_it_shut_with_both_names() -> None:
    """TX-23."""
    issuer = forge()
    (only,) = await shut({}, one=Trusting(issuer), two=Trusting(issuer))
    assert only == f"zone default: one and two both take {JWT} of {issuer.issuer}"
    service = Forge("https://sts.example.test", "https://sts.example.test", MovableClock())
    (only,) = await shut({}, one=Trusting(service))
    assert only == f"zone default: core and one both take {JWT} of https://sts.example.test"


async def test_several_policies_must_be_chosen_from() -> None:
    one, two = AllowAll(), AllowAll()
    one.name = "one"
    assert await shut({}, a=one, b=two) == ["zone default: policy: choose one of one, scripted"]
    assert await shut({"policy": "three"}, a=one, b=two) == [
        "zone default: policy: 'three' is not one of the enabled policy backends (one, scripted)"
    ]
    async with open_sts({"policy": "one"}, modules={"a": one, "b": two}) as running:
        assert (await running.sts.zones.named("default")).policy is one


async def test_several_stores_must_be_chosen_from_and_memory_is_always_there() -> None:
    one, two = MemoryStore(MovableClock()), MemoryStore(MovableClock())
    modules = {"one": Offers("cambist_stores", one), "two": Offers("cambist_stores", two)}
    assert await shut({}, **modules) == ["store: choose one of one, two"]
    assert await shut({"store": "tow"}, **modules) == ["store: 'tow' is not enabled; did you mean two?"]
    for name, store in (("one", one), ("two", two)):
        async with open_sts({"store": name}, modules=modules) as running:
            assert running.sts.store is store
    async with open_sts({"store": "memory"}, modules=modules) as running:
        assert running.sts.store not in (one, two)
    async with open_sts({}, modules={"one": modules["one"]}) as running:
        assert running.sts.store is one


async def test_a_key_store_that_is_not_enabled_keeps_it_shut() -> None:
    assert await shut({"keys": "keys-file"}) == ["keys: 'keys-file' is not enabled"]
    async with open_sts({"keys": "memory"}) as running:
        assert isinstance(running.sts.keys, EphemeralKeys)


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────


class Table(Shape):
    """A table with one key that is needed."""

    colour: str = Field(description="Its colour.")


class Painted(Scripted):
    """A policy that has settings."""

    def __init__(self) -> None:
        super().__init__(AllowAll().answer)
        self.seen: list[str] = []

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        self.seen.append(host.settings(Table).colour)
        yield self


async def test_the_tables_of_all_plugins_are_checked_at_once_with_their_paths() -> None:
    zones: dict[str, Any] = {"b": {"plugins": {"painted": {"colour": 5}}}}
    document = {"plugins": {"painted": {"colur": "red"}, "trusting": {"x": 1, "y": 2}}, "zones": zones}
    assert await shut(document, painted=Painted(), trusting=Trusting(forge())) == [
        "plugins.painted.colour: required",
        "plugins.painted.colur: unknown; did you mean colour?",
        "plugins.trusting.x: plugin trusting takes no settings",
        "plugins.trusting.y: plugin trusting takes no settings",
        "zones.b.plugins.painted.colour: Input should be a valid string",
    ]


async def test_each_zone_has_its_own_table() -> None:
    painted = Painted()
    zones = {"b": {"plugins": {"painted": {"colour": "blue"}}}}
    async with open_sts({"plugins": {"painted": {"colour": "red"}}, "zones": zones}, modules={"painted": painted}):
        assert painted.seen == ["red", "blue"]


async def test_the_table_of_what_keeps_is_checked_with_the_others() -> None:
    class Stores:
        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            host.settings(Table)
            yield MemoryStore(MovableClock())

    document = {"plugins": {"stores": {"colour": 5}, "trusting": {"x": 1}}}
    assert await shut(document, stores=Stores(), trusting=Trusting(forge())) == [
        "plugins.stores.colour: Input should be a valid string",
        "plugins.trusting.x: plugin trusting takes no settings",
    ]


@pytest.mark.parametrize("hook", ["cambist_stores", "cambist_observers", "cambist_policies"])
async def test_a_table_is_claimed_when_one_of_the_hooks_of_its_plugin_asks_for_it(hook: str) -> None:
    class Several(AllowAll):
        required = False

        async def observe(self, record: object) -> None:
            return None

        def _asks(self, mine: str, host: Host) -> None:
            if mine == hook:
                assert host.settings(Table).colour == "red"

        @hookimpl
        def cambist_stores(self, host: Host) -> Iterator[Store]:
            self._asks("cambist_stores", host)
            yield MemoryStore(MovableClock())

        @hookimpl
        def cambist_observers(self, host: Host) -> Iterator[Observer]:
            self._asks("cambist_observers", host)
            yield self

        @hookimpl
        def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
            self._asks("cambist_policies", host)
            yield self

    async with open_sts({"plugins": {"several": {"colour": "red"}}}, modules={"several": Several()}) as running:
        assert list(running.sts.claims) == ["plugins.several"]
    assert await shut({"plugins": {"several": {"colour": 5}}}, several=Several()) == [
        "plugins.several.colour: Input should be a valid string"
    ]


async def test_what_keeps_has_its_table_at_the_top_level() -> None:
    store = Offers("cambist_stores", MemoryStore(MovableClock()))
    document: dict[str, Any] = {"zones": {"b": {"plugins": {"one": {}}}}}
    assert "zones.b.plugins.one: one serves the whole service; its table stands at the top level" in await shut(document, one=store)
    assert await shut({"plugins": {"one": {"x": 1}}}, one=store) == ["plugins.one.x: plugin one takes no settings"]


async def test_a_type_that_is_to_authenticate_must_be_taken_by_somebody() -> None:
    (only,) = await shut({"authenticates": ["urn:ietf:params:oauth:token-type:jwtt"]}, trusting=Trusting(forge()))
    assert only.startswith("zone default: authenticates: no enabled plugin takes urn:ietf:params:oauth:token-type:jwtt; did you mean")


async def test_keys_of_an_application_that_are_none_keep_it_shut() -> None:
    found = await shut({"applications": {"ci": {"jwks": {"keys": "x"}}}})
    assert len(found) == 1
    assert "it is not a JWK set" in found[0]
