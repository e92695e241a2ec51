"""One line for each decision: enough to find it in the ledger, nothing that was a secret, and never longer than a pipe takes whole."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import to_builtins

from cambist import Deny, Permit, Record, Refusal
from cambist.errors import Fault, Replayed
from cambist.settings import parse
from cambist.testing import ISSUER, Forge, MovableClock, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.trace import Step, Trace
from cambist_hostapp.decisions import MAX_VALUE, Decisions, deciding, line
from cambist_hostapp.lines import ATOMIC, MOST, Lines, chunks
from cambist_hostapp.logs import rendered, renderer

API = "https://api.example.test"


def record(outcome: str = "permitted", steps: int = 1, refusal: Refusal | None = None) -> Record:
    trace = Trace("d" * 22, 1.5, [Step(f"step-{number}", number * 10_000, number * 10_000 + 5_000) for number in range(steps)])
    return Record(decision_id="d" * 22, outcome=outcome, at=1.5, trace=trace, refusal=refusal)


class Kept(Lines):
    """Lines that go nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def add(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        self.kept.append(json.loads(line))


async def logged(answer: Any, *, refused_only: bool = False, **asked: Any) -> list[Any]:
    clock, lines = MovableClock(), Kept()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules = {"trusting": Trusting(forge), "scripted": Scripted(answer)}
    async with open_sts({"authenticates": [JWT]}, modules=modules, clock=clock) as running:
        decisions = Decisions(lines, refused_only=refused_only)
        await running.json(**{"subject_token": forge.jwt(sub="alice"), "audience": API, **asked})
        for one in running.records:
            await decisions.observe(one)
    return lines.kept


async def test_a_permitted_decision_says_what_it_took() -> None:
    (told,) = await logged(Permit())
    assert told.pop("microseconds") >= max(told.pop("steps").values())
    assert len(told.pop("decision_id")) == 22
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "decision",
        "level": "info",
        "logger": "cambist.decisions",
        "outcome": "permitted",
        "dialect": "v1",
        "subject_token_type": JWT,
        "zone": "default",
    }


async def test_a_refused_decision_says_its_reason() -> None:
    (told,) = await logged(Deny())
    assert (told["outcome"], told["reason"]) == ("refused", "policy_denied")


async def test_refusals_alone_can_be_wanted() -> None:
    assert await logged(Permit(), refused_only=True) == []
    assert len(await logged(Deny(), refused_only=True)) == 1


async def test_nothing_that_a_stranger_wrote_is_in_a_line() -> None:
    """I10, U6."""
    canary = "canary" * 100
    hostile: list[dict[str, Any]] = [{"scope": "canary"}, {"zone_id": canary}, {"subject_token": canary}, {"subject_token_type": canary}]
    for asked in hostile:
        (told,) = await logged(Permit(), **asked)
        text = json.dumps(told)
        assert not [part for part in ("canary", "alice", API, "issuer.example", "eyJ") if part in text]


async def test_a_plugin_is_named_where_it_is_to_blame() -> None:
    def broken(question: object) -> Any:
        raise OSError("password=hunter2")

    (told,) = await logged(broken)
    assert told["plugin"] == "scripted"
    assert "hunter2" not in json.dumps(told)


def test_no_line_is_longer_than_a_pipe_takes_whole() -> None:
    long = "\x00\u2028\U0001f600" * 10_000
    told = to_builtins(line(record(long, 500, Fault(plugin=long))))
    assert all(len(value) <= MAX_VALUE for value in told.values() if isinstance(value, str))
    lines = Kept()
    asyncio.run(_observed(lines, record(long, 500, Fault(plugin=long))))
    assert len(json.dumps(lines.kept[0], ensure_ascii=False).encode()) < ATOMIC


async def _observed(lines: Lines, *records: Record) -> None:
    decisions = Decisions(lines)
    for one in records:
        await decisions.observe(one)


def test_a_decision_without_steps_or_cancelled_has_a_line_too() -> None:
    lines = Kept()
    asyncio.run(_observed(lines, record(steps=0), record("cancelled"), record("replayed", refusal=Replayed())))
    assert [told["outcome"] for told in lines.kept] == ["permitted", "cancelled", "refused"]
    assert "microseconds" not in lines.kept[0]


async def test_the_ids_of_a_trace_and_lines_that_were_left_out_are_told() -> None:
    lines = Kept()
    lines.left_out = 2
    await Decisions(lines, trace_id=lambda decision: f"trace of {decision[:2]}").observe(record())
    assert (lines.kept[0]["trace_id"], lines.kept[0]["left_out"], lines.left_out) == ("trace of dd", 2, 0)


def test_a_line_is_written_as_every_other_line_of_the_log_is() -> None:
    told = line(record("replayed", refusal=Replayed()))
    assert rendered()(told) == f"{renderer()(None, 'info', to_builtins(told))!s}\n".encode()
    assert list(to_builtins(told))[:6] == ["event", "level", "logger", "timestamp", "decision_id", "outcome"]


def test_who_sits_at_a_terminal_reads_a_line_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    text = rendered()(line(record("replayed", refusal=Replayed()))).decode()
    assert not text.startswith("{")
    assert all(said in text for said in ("decision", "refused", "replayed", "d" * 22, "1970-01-01T00:00:01.500000Z"))


@pytest.mark.parametrize(("wanted", "count"), [("all", 1), ("refused", 1), ("none", 0)])
async def test_the_settings_say_which(wanted: str, count: int) -> None:
    async with deciding(parse({"issuer": ISSUER, "log_decisions": wanted})) as observers:
        assert len(observers) == count


# ── lines that nobody waits for ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


async def test_lines_are_written_in_their_order_and_the_last_ones_when_it_ends(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    async with Lines(writing) as lines:
        for number in range(100):
            lines.add(b"%d\n" % number)
    os.close(writing)
    with os.fdopen(os.dup(reading), "rb") as read:
        assert read.read() == b"".join(b"%d\n" % number for number in range(100))
    assert lines.left_out == 0


async def test_lines_are_written_while_it_goes_on(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    async with Lines(writing) as lines:
        lines.add(b"first\n")
        assert await asyncio.to_thread(os.read, reading, 100) == b"first\n"
        lines.add(b"second\n")
        assert await asyncio.to_thread(os.read, reading, 100) == b"second\n"


async def test_a_reader_that_is_stuck_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    async with Lines(writing) as lines:
        stuck = b"x" * (ATOMIC - 1) + b"\n"
        for _ in range(40):  # more than a pipe holds
            lines.add(stuck)
        async with asyncio.timeout(10):
            while not lines._writing.is_set():
                await asyncio.sleep(0)
        began = time.monotonic()
        for _ in range(MOST + 7):
            lines.add(b"y\n")
        assert time.monotonic() - began < 2
        assert lines.left_out == 7
        began = time.monotonic()
    assert time.monotonic() - began < 5


async def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    async with Lines(writing) as lines:
        lines.add(b"x\n")


async def test_lines_that_were_left_out_are_told_in_the_next() -> None:
    lines = Kept()
    lines.left_out = 3
    await _observed(lines, record(), record())
    assert [told.get("left_out") for told in lines.kept] == [3, None]


def test_what_is_written_at_once_is_whole_lines() -> None:
    lines = [b"x" * size + b"\n" for size in (4000, 90, 20, 4095, 1, 1)]
    written = list(chunks(lines))
    assert b"".join(written) == b"".join(lines)
    assert all(len(chunk) <= ATOMIC and chunk.endswith(b"\n") for chunk in written)
    assert len(written) == 4
    assert list(chunks([])) == []
