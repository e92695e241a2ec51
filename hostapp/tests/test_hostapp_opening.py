"""Opening in a process of its own: what is found out for all of them before, and what is told while it goes on."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cambist import Permit, Policy, PolicyInput, hookimpl
from cambist.egress import Egress
from cambist.plugins import Installed, Plugin
from cambist.settings import parse
from cambist.sts import load_plugin
from cambist_hostapp.opening import Given, check

ISSUER = "https://sts.example.test"


class Slow:
    """A plugin whose rules take long to open, as those do that are compiled."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def find(self, name: str) -> Plugin:
        self.events.append(f"found {name}")
        return load_plugin(name, self)

    @hookimpl
    def cambist_policies(self, host: Any) -> Iterator[Policy]:
        yield Rules(self.events)


class Rules:
    name, revision = "slow", "1"

    def __init__(self, events: list[str]) -> None:
        self._events = events

    async def __aenter__(self) -> None:
        self._events.append("compiled")

    async def __aexit__(self, *_: object) -> None:
        self._events.append("closed")

    async def decide(self, question: PolicyInput) -> Permit:
        return Permit()


class Looking(Slow):
    """A finder that can be asked beforehand."""

    def look(self, names: Iterable[str]) -> None:
        self.events.append(f"looked for {', '.join(names)}")


def settings(**egress: Any) -> Any:
    return parse({"issuer": ISSUER, "plugins": {"slow": {}}, "egress": egress})


async def test_the_check_tells_what_it_has_loaded_before_the_rules_are_compiled() -> None:
    """So that the supervisor loads the same meanwhile, on another core."""
    slow = Slow()
    await check(settings(), Given(finder=slow), lambda: slow.events.append("told"))
    assert slow.events == ["found slow", "told", "compiled", "closed"]


def test_what_every_process_would_find_out_is_found_out_for_all_of_them() -> None:
    looking, slow = Looking(), Slow()
    assert Given(finder=looking).found(settings()).finder is looking
    assert looking.events == ["looked for slow"]
    assert Given(finder=slow).found(settings()).finder is slow
    assert not slow.events
    first, second = (Given().found(settings()).finder for _ in range(2))
    assert isinstance(first, Installed)
    assert first is not second  # what is installed meanwhile is there when the settings are read anew


def test_authorities_that_have_gone_are_told_of_by_who_opens_and_not_by_the_supervisor(tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(ssl.create_default_context().get_ca_certs(binary_form=True)[0]))
    read = settings(ca_file=str(file))
    file.unlink()
    Given(finder=Slow()).found(read)
    with pytest.raises(FileNotFoundError):
        Egress(read.service.egress)
