"""A plugin that is wrong as it opens keeps the service shut, with a sentence that names it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from pydantic import field_validator

from cambist import DidNotStart, Field, Permit, Shape, Sts, hookimpl
from cambist.keys import EphemeralKeys
from cambist.store import MemoryStore
from cambist.testing import ISSUER, AllowAll, MovableClock
from cambist.testing.policies import Scripted

from .stage import GOOD, Judge, Mute, Stop, among_others, plugin, raises


class Colour(Shape):
    """Settings that are particular."""

    colour: str = Field("red", description="Any but blue.")

    @field_validator("colour")
    @classmethod
    def _not_blue(cls, colour: str) -> str:
        if colour == "blue":
            raise RuntimeError("I cannot bear blue")
        return colour


class Opening:
    """A store, key store and observer whose opening is what it is told to be."""

    def __init__(self, opens: Any) -> None:
        self.opens = opens

    async def __aenter__(self) -> None:
        await self.opens()

    async def __aexit__(self, *_: object) -> None:
        raise AssertionError("it was never open")


class OpeningStore(Opening, MemoryStore):
    pass


class OpeningKeys(Opening, EphemeralKeys):
    pass


class Watching(Opening):
    required = False

    async def observe(self, record: object) -> None:
        raise AssertionError("it was never open")


async def _for_ever() -> None:
    await asyncio.Event().wait()


class Shy(Judge):
    """It does not say what it takes."""

    def __getattribute__(self, name: str) -> Any:
        if name == "token_types":
            raise RuntimeError("I would rather not say")
        return super().__getattribute__(name)


class Nameless(Scripted):
    name: Any = 7


def named(name: str) -> Scripted:
    policy = Scripted(Permit())
    policy.name = name
    return policy


def twice_hooked() -> ModuleType:
    module = plugin(validators=lambda host: [Judge()])

    def again(host: object) -> list[Judge]:
        return [Judge()]

    module.again = hookimpl(specname="cambist_validators")(again)  # type: ignore[attr-defined]  # a plugin is any module
    return module


def misspelt() -> ModuleType:
    return plugin(validators=lambda host: [Judge()], validator=lambda host: [])


def curious() -> ModuleType:
    module = ModuleType("evil")

    def cambist_validators(host: object, token: str) -> list[Judge]:
        return [Judge()]

    module.cambist_validators = hookimpl(cambist_validators)  # type: ignore[attr-defined]  # a plugin is any module
    return module


def offering(validator: Judge) -> ModuleType:
    return plugin(validators=lambda host: [validator])


def deciding(*policies: Scripted) -> ModuleType:
    return plugin(policies=lambda host: policies)


def with_settings() -> ModuleType:
    return plugin(validators=lambda host: [host.settings(Colour)] and [Judge()])


SHUT: Mapping[str, tuple[ModuleType, str]] = {
    "it raises in its hook": (plugin(validators=raises(RuntimeError("boom"))), "cannot open: RuntimeError: boom"),
    "it ends the process in its hook": (plugin(policies=raises(SystemExit("bye"))), "cannot open: SystemExit: bye"),
    "it interrupts in its hook": (plugin(observers=raises(Stop("now"))), "cannot open: Stop: now"),
    "it cancels in its hook": (plugin(stores=raises(asyncio.CancelledError())), "cannot open: CancelledError"),
    "it raises what cannot be told": (plugin(keystores=raises(Mute())), "cannot open: Mute: (it cannot be told)"),
    "it offers what fills no seam": (plugin(validators=lambda host: [5]), "offered a int, which is no Validator"),
    "it offers what fills another seam": (plugin(policies=lambda host: [Judge()]), "offered a Judge, which is no Policy"),
    "it offers what is no list": (plugin(validators=lambda host: 5), "cannot open: TypeError"),  # type: ignore[arg-type,return-value]  # junk on purpose
    "it offers without end": (plugin(validators=lambda host: itertools.repeat(Judge())), "cambist_validators offers without end"),
    "it offers one validator twice": (plugin(validators=lambda host: [Judge()] * 2), "evil and evil both take every"),
    "it registers its hook twice": (twice_hooked(), "evil and evil both take every"),
    "it takes a type that another takes": (offering(Judge(token_types=frozenset({GOOD}))), f"evil and good both take every {GOOD}"),
    "it takes what we issued": (
        offering(Judge(token_types=frozenset({"urn:ietf:params:oauth:token-type:jwt"}), issuers=frozenset({ISSUER}))),
        f"core and evil both take urn:ietf:params:oauth:token-type:jwt of {ISSUER}",
    ),
    "it names its types by one text": (offering(Judge(token_types=GOOD)), "its token_types are no set of texts"),
    "it names its issuers by one text": (offering(Judge(issuers="https://a.example.test")), "its issuers are no set of texts"),
    "it names its issuers by numbers": (offering(Judge(issuers={1, 2})), "its issuers are no set of texts"),
    "it does not say what it takes": (offering(Shy()), "cannot open: RuntimeError: I would rather not say"),
    "its policy has the name of another": (
        plugin(policies=lambda host: [named("scripted")]),
        "'scripted' is offered by evil and by scripted",
    ),
    "it offers one policy twice": (deciding(named("evil"), named("evil")), "'evil' is offered by evil and by evil"),
    "its policy has no name": (deciding(Nameless(Permit())), "its name is no text"),
    "it offers two stores": (
        plugin(stores=lambda host: [MemoryStore(MovableClock()), MemoryStore(MovableClock())]),
        "plugin evil offers more than one for `store`",
    ),
    "its store does not open": (plugin(stores=lambda host: [OpeningStore(raises(OSError("no disk")))]), "cannot open: OSError: no disk"),
    "its keys end the process as they open": (
        plugin(keystores=lambda host: [OpeningKeys(raises(SystemExit(3)))]),
        "cannot open: SystemExit: 3",
    ),
    "its observer opens for ever": (plugin(observers=lambda host: [Watching(_for_ever)]), "it did not open within 0.05 seconds"),
    "its settings raise": (with_settings(), "cannot open: RuntimeError: I cannot bear blue"),
    "it takes no settings, and has some": (offering(Judge()), "plugins.evil.colour: plugin evil takes no settings"),
    "it misspells a hook": (misspelt(), "unknown hook 'cambist_validator' in plugin <module 'evil'>"),
    "it asks for what no hook gets": (curious(), "Plugin 'evil' for hook 'cambist_validators'"),
    "it has no hook at all": (ModuleType("evil"), "evil 0 has none of the hooks"),
    "it wants a zone where there is none": (plugin(observers=lambda host: [host.zone]), "only what judges is offered in a zone"),
    "it wants a store before there is one": (plugin(stores=lambda host: [host.store]), "there is no store yet while stores are offered"),
}


@pytest.mark.parametrize("sentence", SHUT)
async def test_it_keeps_the_service_shut_and_is_named(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.open_zones.OPENING", 0.05)
    evil, said = SHUT[sentence]
    table = {"plugins": {"evil": {"colour": "blue"}}} if "settings" in sentence else {}
    with pytest.raises(DidNotStart) as shut:
        async with among_others(evil, **table):
            raise AssertionError("it opened")
    assert any(said in problem and "evil" in problem for problem in shut.value.problems), shut.value.problems


async def test_settings_that_are_wrong_are_told_and_nobody_raises() -> None:
    with pytest.raises(DidNotStart) as shut:
        async with among_others(with_settings(), plugins={"evil": {"color": "red"}}):
            raise AssertionError("it opened")
    assert shut.value.problems[0] == "plugins.evil.color: unknown; did you mean colour?"


async def test_all_that_is_wrong_is_told_at_once_whoever_fails_first() -> None:
    """One that raises does not hide another: an operator mends them together."""
    keeping = {"stores": raises(SystemExit("store")), "keystores": raises(KeyError("keys")), "observers": raises(Mute())}
    worse = plugin(**keeping, validators=raises(OSError("judge")))
    with pytest.raises(DidNotStart) as shut:
        async with among_others(worse):
            raise AssertionError("it opened")
    told = "\n".join(shut.value.problems)
    assert all(said in told for said in ("SystemExit: store", "KeyError: 'keys'", "Mute: ", "OSError: judge"))


async def test_the_same_service_without_the_plugin_opens() -> None:
    """So that the tests above are not kept by a service that never opens."""
    async with among_others(plugin(policies=lambda host: [named("evil")])) as running:
        assert isinstance(running.sts, Sts)
        assert AllowAll.name in [thing.name for _, thing in running.sts.zones.offered(running.sts.settings.zones["other"]).policies]
