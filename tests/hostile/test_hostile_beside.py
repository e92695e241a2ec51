"""Beside the requests: zones that do not open, work that dies, what does not close, and what cannot say how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from cambist.testing import Running

from .stage import EVIL, GOOD, Judge, Mute, Stop, among_others, ask, is_refused, others_are_served, plugin, raises


async def _for_ever(*_: object) -> None:
    await asyncio.Event().wait()


# ── a zone that does not open ───────────────────────────────────────────────────────────────────────────


class Opening(Judge):
    """A validator that has to be opened and closed, and does it as it is told."""

    def __init__(self, opens: Callable[..., Any] = lambda: None, closes: Callable[..., Any] = lambda: None) -> None:
        super().__init__()
        self.opens, self.closes, self.closed = opens, closes, False

    async def __aenter__(self) -> None:
        if (found := self.opens()) is not None:
            await found

    async def __aexit__(self, *_: object) -> None:
        self.closed = True
        if (found := self.closes()) is not None:
            await found


OPENS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "it raises": (raises(OSError("no disk")), "plugin evil cannot open: OSError: no disk"),
    "it raises what cannot be told": (raises(Mute()), "plugin evil cannot open: Mute: (it cannot be told)"),
    "it ends the process": (raises(SystemExit(3)), "plugin evil cannot open: SystemExit: 3"),
    "it interrupts": (raises(Stop("now")), "plugin evil cannot open: Stop: now"),
    "it cancels": (raises(asyncio.CancelledError()), "plugin evil cannot open: CancelledError"),
    "it opens for ever": (_for_ever, "what: plugin evil; cause: it did not open within 0.2 seconds"),
}


def in_the_other_zone(validator: Judge) -> ModuleType:
    return plugin(validators=lambda host: [validator] if host.zone.id == "other" else [])


async def zone_is_shut(running: Running, said: str) -> None:
    refused = await ask(running, GOOD, "other")
    assert refused.status_code == 503
    (record,) = running.records
    assert record.refusal is not None
    assert said in str(record.refusal.facts["cause"])
    await is_refused(running, refused, "temporarily_unavailable", None)


@pytest.mark.parametrize("sentence", OPENS)
async def test_a_zone_that_cannot_open_refuses_alone(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.open_zones.OPENING", 0.2)
    opens, said = OPENS[sentence]
    async with among_others(in_the_other_zone(Opening(opens))) as running:
        opening = asyncio.ensure_future(ask(running, GOOD, "other"))
        await asyncio.sleep(0)
        await others_are_served(running, "default")
        await opening
        running.records.clear()
        await zone_is_shut(running, said)
        await others_are_served(running, "default")


async def test_while_a_zone_opens_the_others_open_too() -> None:
    may_open = asyncio.Event()

    async def opens() -> None:
        await may_open.wait()

    async with among_others(in_the_other_zone(Opening(opens))) as running:
        opening = asyncio.ensure_future(ask(running, GOOD, "other"))
        for _ in range(20):
            await asyncio.sleep(0)
        await others_are_served(running, "default")
        assert not opening.done()
        may_open.set()
        assert (await opening).status_code == 200


async def test_a_hook_that_fails_the_second_time_shuts_the_zone_and_no_other() -> None:
    calls: list[str] = []

    def once(host: Any) -> list[Judge]:
        calls.append(host.zone.id)
        if host.zone.id == "other" and calls.count("other") > 1:
            raise SystemExit("not again")
        return []

    async with among_others(plugin(validators=once)) as running:
        await zone_is_shut(running, "plugin evil cannot open: SystemExit: not again")
        await others_are_served(running, "default")


async def test_a_zone_that_could_not_open_may_open_later() -> None:
    validator = Opening(raises(OSError("no disk")))
    async with among_others(in_the_other_zone(validator)) as running:
        await zone_is_shut(running, "OSError: no disk")
        validator.opens = lambda: None
        running.sts.clock.move(10)  # type: ignore[attr-defined]  # the kit's clock
        await others_are_served(running, "other", "default")


# ── work beside the requests ────────────────────────────────────────────────────────────────────────────


async def _dies(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def _deaf() -> None:
    """It does not listen when it is told to end."""
    for _ in range(20):
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


def busy(*works: Callable[[], Coroutine[Any, Any, None]]) -> ModuleType:
    def observers(host: Any) -> Iterator[object]:
        for number, work in enumerate(works):
            host.background(f"work {number}", work())
        yield from ()

    return plugin(observers=observers)


DIES = {
    "it raises": OSError("gone"),
    "it raises what cannot be told": Mute(),
    "it ends the process": SystemExit(0),
    "it interrupts": Stop(),
    "it cancels itself": asyncio.CancelledError(),
}


@pytest.mark.parametrize("sentence", DIES)
async def test_work_that_dies_is_seen_in_ready_and_everybody_is_served(sentence: str) -> None:
    async with among_others(busy(lambda: _dies(DIES[sentence]), _for_ever)) as running:
        for _ in range(5):
            await asyncio.sleep(0)
        ready = await running.http.get("/ready")
        assert ready.status_code == 503
        assert (ready.json()["checks"]["evil: work 0"], ready.json()["checks"]["evil: work 1"]) == ("stopped", "ok")
        await others_are_served(running, "default", "other")


async def test_work_that_does_not_end_does_not_keep_the_service_from_ending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambist.sts.CLOSING", 0.1)
    loop = asyncio.get_running_loop()
    async with among_others(busy(_deaf)) as running:
        await others_are_served(running, "default")
        began = loop.time()
    assert loop.time() - began < 0.8
    assert "evil: work 0 does not end" in caplog.text
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})


async def test_work_of_a_service_that_did_not_open_is_ended_unstarted() -> None:
    """And no coroutine is left that nobody awaited: pytest would say so."""

    def observers(host: Any) -> Iterator[object]:
        host.background("work", _for_ever())
        raise OSError("no")

    with pytest.raises(Exception, match="cannot open: OSError: no"):
        async with among_others(plugin(observers=observers)):
            raise AssertionError("it opened")
    assert asyncio.all_tasks() == {asyncio.current_task()}


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────────

CLOSES: Mapping[str, Callable[..., Any]] = {
    "it raises": raises(OSError("no disk")),
    "it raises what cannot be told": raises(Mute()),
    "it ends the process": raises(SystemExit(3)),
    "it interrupts": raises(Stop()),
    "it cancels": raises(asyncio.CancelledError()),
    "it closes for ever": _for_ever,
}


@pytest.mark.parametrize("sentence", CLOSES)
async def test_what_does_not_close_is_told_of_and_everybody_else_closes(
    sentence: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cambist.open_zones.CLOSING", 0.1)
    first, evil, last = Opening(), Opening(closes=CLOSES[sentence]), Opening()
    first.token_types, last.token_types = frozenset({"urn:hostile:first"}), frozenset({"urn:hostile:last"})
    async with among_others(plugin(validators=lambda host: [first, evil, last] if host.zone.id == "default" else [])) as running:
        await others_are_served(running, "default", "other")
    assert (first.closed, evil.closed, last.closed) == (True, True, True)
    assert "plugin evil did not close: " in caplog.text


# ── being asked how it is ───────────────────────────────────────────────────────────────────────────────

PINGS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "it raises": (raises(OSError("secret")), "OSError"),
    "it ends the process": (raises(SystemExit(0)), "SystemExit"),
    "it cancels": (raises(asyncio.CancelledError()), "CancelledError"),
    "it never answers": (_for_ever, "no answer in time"),
}


@pytest.mark.parametrize("sentence", PINGS)
async def test_what_cannot_say_how_it_is_is_not_well(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.readiness.PING_TIMEOUT", 0.1)
    answer, said = PINGS[sentence]

    class Pinged(Judge):
        async def ping(self) -> None:
            await answer()

    async with among_others(plugin(validators=lambda host: [Pinged()] if host.zone.id == "default" else [])) as running:
        await others_are_served(running, "default")
        ready = await running.http.get("/ready")
        assert (ready.status_code, ready.json()["checks"]["zone default: evil"]) == (503, said)
        await others_are_served(running, "default")


async def test_the_type_of_the_plugin_is_refused_where_it_is_not_enabled() -> None:
    """So that nobody is served by a stand-in that is not on the stage at all."""
    async with among_others(plugin(observers=lambda host: [])) as running:
        await is_refused(running, await ask(running, EVIL), "token_type_unknown", None)
