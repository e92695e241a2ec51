"""Exactly one line for each decision; what strangers send is counted, and only some of it written; a line is found again."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart, Observer, Permit, PolicyInput, Unavailable
from cambist.hooks import CanFind, CanPing
from cambist.testing import ISSUER, Forge, MovableClock, ObserverContract, Running, Scripted, open_sts
from cambist_audit_log import reading
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.line import MAX_LINE
from cambist_audit_log.settings import AuditLogSettings

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"


def unopened(folder: Path, clock: MovableClock) -> AuditLog:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    return AuditLog(AuditLogSettings(path=folder / "decisions.jsonl"), clock, not_now)


class TestAuditLog(ObserverContract):
    """The kit's own rules."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[MovableClock], AbstractAsyncContextManager[Observer]]:
        self.path = tmp_path / "decisions.jsonl"

        @asynccontextmanager
        async def made(clock: MovableClock) -> AsyncIterator[Observer]:
            yield unopened(tmp_path, clock)  # the service opens it

        return made

    def told(self, observer: Observer) -> tuple[int, str]:
        text = self.path.read_text("utf-8")
        return len(text.splitlines()), text


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(IDP, ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, policy: Scripted | None = None, **table: Any) -> AsyncIterator[Running]:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    log = {"path": str(folder / "decisions.jsonl"), **table}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": log, "jwt": jwt}}
    async with open_sts(settings, clock=forge.clock, modules={"scripted": policy or Scripted(Permit())}) as running:
        yield running


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "decisions.jsonl").read_bytes().split(b"\n")[:-1]]


def log_of(sts: Running) -> AuditLog:
    [log] = [thing for name, thing in sts.sts.kept if name == "audit-log"]
    assert isinstance(log, AuditLog)
    return log


# ── one record for each decision ────────────────────────────────────────────────────────────────────────


class Dawdling(Scripted):
    """A policy that takes a while, each time another one."""

    def __init__(self, seed: int) -> None:
        super().__init__(Permit())
        self._random = random.Random(seed)

    async def decide(self, question: PolicyInput) -> Permit:
        await asyncio.sleep(self._random.random() * 0.02)
        return Permit()


@pytest.mark.parametrize("sync", ["always", "group"])
@pytest.mark.parametrize("seed", range(3))
async def test_of_many_at_once_and_many_hung_up_each_decision_has_one_line(tmp_path: Path, forge: Forge, sync: str, seed: int) -> None:
    chance = random.Random(seed)
    async with service(tmp_path, forge, Dawdling(seed), sync=sync, sample=1_000) as sts:
        bodies: list[dict[str, Any]] = [{"subject_token": forge.jwt()}, {"subject_token": forge.jwt(exp=1)}, {"scope": "a  b"}]
        calls = [asyncio.create_task(sts.form(**chance.choice(bodies), audience=TARGET)) for _ in range(60)]
        for call in chance.sample(calls, 30):
            await asyncio.sleep(chance.random() * 0.002)
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.3)  # who hung up does not stop a story that is told already
    written = Counter(line["decision_id"] for line in lines(tmp_path))
    assert written == Counter(record.decision_id for record in sts.records)
    assert set(written.values()) == {1}
    answered = {answer.headers["cambist-decision-id"] for answer in answers if not isinstance(answer, BaseException)}
    assert answered <= written.keys()


async def test_lines_are_in_the_order_of_the_answers(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        ids = [(await sts.form(subject_token=forge.jwt(), audience=TARGET)).headers["cambist-decision-id"] for _ in range(5)]
    assert [line["decision_id"] for line in lines(tmp_path)] == ids


def test_nothing_is_issued_without_it(tmp_path: Path) -> None:
    log = unopened(tmp_path, MovableClock())
    assert log.required is True
    assert isinstance(log, Observer)
    assert isinstance(log, CanFind)
    assert isinstance(log, CanPing)


# ── what strangers send ─────────────────────────────────────────────────────────────────────────────────


async def malformed(sts: Running) -> None:
    answer = await sts.form(subject_token="x", scope="a  b")
    assert answer.status_code == 400


async def test_of_what_cannot_be_read_so_much_is_written_each_second_and_the_rest_is_counted(
    tmp_path: Path, forge: Forge, clock: MovableClock
) -> None:
    async with service(tmp_path, forge, sample=3) as sts:
        for _ in range(10):
            await malformed(sts)
        assert [line.get("left_out") for line in lines(tmp_path)] == [None] * 3
        clock.move(1)
        await malformed(sts)
        assert lines(tmp_path)[-1]["left_out"] == 7
        await malformed(sts)
        assert "left_out" not in lines(tmp_path)[-1], "they are told once"


async def test_the_next_line_of_any_kind_says_how_many_were_left_out(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, sample=0) as sts:
        for _ in range(4):
            await malformed(sts)
        await sts.form(subject_token=forge.jwt(), audience=TARGET)
    [told] = lines(tmp_path)
    assert (told["outcome"], told["left_out"]) == ("permitted", 4)


async def test_what_was_left_out_at_the_end_is_told_when_the_service_stops(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, sample=1) as sts:
        for _ in range(4):
            await malformed(sts)
    assert lines(tmp_path)[-1] == {"v": 1, "at": "2027-01-15T12:00:00.000Z", "left_out": 3}


async def test_a_count_that_could_not_be_written_is_told_later(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    async with service(tmp_path, forge, sample=0) as sts:
        await malformed(sts)
        with monkeypatch.context() as full:

            def no_space(descriptor: int, data: Any) -> int:
                raise OSError(28, "No space left on device")

            full.setattr(os, "write", no_space)
            assert (await sts.form(subject_token=forge.jwt(), audience=TARGET)).status_code == 503
        await malformed(sts)
        await sts.form(subject_token=forge.jwt(), audience=TARGET)
    assert [line["left_out"] for line in lines(tmp_path)] == [2]


@pytest.mark.parametrize(
    "parameters",
    [{"subject_token": "bad"}, {"client_id": "shop", "client_secret": "wrong"}, {"audience": "no target"}],
    ids=["a bad credential", "a wrong secret", "a target that is none, by somebody who was proved"],
)
async def test_what_was_judged_is_always_written(tmp_path: Path, forge: Forge, parameters: Mapping[str, str]) -> None:
    from cambist.client_secret import hash_secret

    table = {
        "audit-log": {"path": str(tmp_path / "decisions.jsonl"), "sample": 0},
        "jwt": {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]},
    }
    shop = {"shop": {"secret_hash": hash_secret("right")}}
    proved = {"client_id": "shop", "client_secret": "right"} if "audience" in parameters else {}
    async with open_sts({"authenticates": [JWT_TYPE], "applications": shop, "plugins": table}, clock=forge.clock) as sts:
        asked: dict[str, Any] = {"subject_token": forge.jwt(), "audience": TARGET, **proved, **parameters}
        for _ in range(3):
            await sts.form(**asked)
    assert [line["outcome"] for line in lines(tmp_path)] == ["refused"] * 3


# ── reading back ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_decision_is_found_again_as_it_was_written(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        answers = [await sts.form(subject_token=forge.jwt(), audience=TARGET) for _ in range(5)]
        for answer, line in zip(answers, lines(tmp_path), strict=True):
            assert await log_of(sts).find(answer.headers["cambist-decision-id"]) == line


@pytest.mark.parametrize("decision_id", ["", "unknown", '"v":1', "é\ud800", "x" * 100_000])
async def test_a_decision_that_is_not_there_is_not_found(tmp_path: Path, forge: Forge, decision_id: str) -> None:
    async with service(tmp_path, forge) as sts:
        await sts.form(subject_token=forge.jwt(), audience=TARGET)
        assert await log_of(sts).find(decision_id) is None


async def test_an_id_within_another_line_is_not_that_decision(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        first = (await sts.form(subject_token=forge.jwt(), audience=TARGET)).headers["cambist-decision-id"]
        await sts.form(subject_token=forge.jwt(), audience=TARGET, scope=first)
        found = await log_of(sts).find(first)
    assert found == lines(tmp_path)[0]


async def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, clock: MovableClock) -> None:
    async with unopened(tmp_path, clock) as log:
        (tmp_path / "decisions.jsonl").unlink()
        with pytest.raises(Unavailable) as caught:
            await log.find("x")
    assert caught.value.facts["cause"] == "No such file or directory"


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def line(decision_id: str, size: int = 0, **more: Any) -> bytes:
    return json.dumps({"v": 1, "decision_id": decision_id, "pad": "p" * size, **more}).encode() + b"\n"


@pytest.mark.parametrize("size", [0, 100, reading.BLOCK // 2, reading.BLOCK - 100, MAX_LINE - 50])
def test_lines_of_any_length_are_found_wherever_the_blocks_fall(tmp_path: Path, size: int) -> None:
    path = written(tmp_path / "log", *(line(f"id-{n}", size) for n in range(12)))
    for n in range(12):
        document = reading.found(path, f"id-{n}")
        assert document is not None
        assert document["decision_id"] == f"id-{n}"


def test_of_two_lines_with_one_id_the_newer_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "log", line("a", which=1), line("b"), line("a", which=2), line("c"))
    assert (reading.found(path, "a") or {})["which"] == 2


@pytest.mark.parametrize("broken", [b"", b"\n\n", b'{"decision_id":"b"', b"b\n", b'["b"]\n', b"\xff b\n", b"[" * 100_000 + b"b\n"])
def test_what_is_no_line_of_ours_is_passed_over(tmp_path: Path, broken: bytes) -> None:
    path = written(tmp_path / "log", line("a"), broken)
    assert reading.found(path, "a") is not None
    assert reading.found(path, "b") is None


def test_memory_is_bounded_whatever_the_file_holds(tmp_path: Path) -> None:
    import tracemalloc

    path = written(tmp_path / "log", line("first"), b"x" * 20_000_000, b"\n", line("last"), *(line(f"{n}", 1_000) for n in range(5_000)))
    tracemalloc.start()
    assert reading.found(path, "last") is not None
    assert reading.found(path, "first") is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"path": None}, "plugins.audit-log.path"),
        ({"sync": "sometimes"}, "plugins.audit-log.sync: Input should be 'always', 'group' or 'off'"),
        ({"sample": -1}, "plugins.audit-log.sample: Input should be greater than or equal to 0"),
        ({"atributes": []}, "plugins.audit-log.atributes: unknown; did you mean attributes?"),
    ],
)
async def test_wrong_settings_are_told(tmp_path: Path, forge: Forge, table: Mapping[str, Any], told: str) -> None:
    with pytest.raises(DidNotStart) as caught:
        async with service(tmp_path, forge, **table):
            pass
    assert told in str(caught.value)
