"""Exactly one line for each decision; what strangers send is counted, and only some of it written; a line is found again."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart, Observer, Permit, PolicyInput, Secret, Unavailable
from cambist.hooks import CanFind, CanPing
from cambist.store import MemoryStore
from cambist.testing import ISSUER, Forge, MovableClock, ObserverContract, Running, Scripted, open_sts
from cambist_audit_log import reading
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.line import MAX_LINE
from cambist_audit_log.names import SegmentName
from cambist_audit_log.sealing import End, Keyring, sealed
from cambist_audit_log.testing import KEK, bare, decisions, lines, raw, report, segments, table, unopened

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"


class TestAuditLog(ObserverContract):
    """The kit's own rules."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[MovableClock], AbstractAsyncContextManager[Observer]]:
        self.folder = tmp_path

        @asynccontextmanager
        async def made(clock: MovableClock) -> AsyncIterator[Observer]:
            yield unopened(tmp_path, clock)  # the service opens it

        return made

    def told(self, observer: Observer) -> tuple[int, str]:
        return len(decisions(self.folder)), raw(self.folder).decode()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(IDP, ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, policy: Scripted | None = None, **more: Any) -> AsyncIterator[Running]:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": table(folder, **more), "jwt": jwt}}
    async with open_sts(settings, clock=forge.clock, modules={"scripted": policy or Scripted(Permit())}) as running:
        yield running


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
    written = Counter(line["decision_id"] for line in decisions(tmp_path))
    assert written == Counter(record.decision_id for record in sts.records)
    assert set(written.values()) == {1}
    answered = {answer.headers["cambist-decision-id"] for answer in answers if not isinstance(answer, BaseException)}
    assert answered <= written.keys()


async def test_lines_are_in_the_order_of_the_answers(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        ids = [(await sts.form(subject_token=forge.jwt(), audience=TARGET)).headers["cambist-decision-id"] for _ in range(5)]
    assert [line["decision_id"] for line in decisions(tmp_path)] == ids


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
        assert [line.get("left_out") for line in decisions(tmp_path)] == [None] * 3
        clock.move(1)
        await malformed(sts)
        assert decisions(tmp_path)[-1]["left_out"] == 7
        await malformed(sts)
        assert "left_out" not in decisions(tmp_path)[-1], "they are told once"


async def test_the_next_line_of_any_kind_says_how_many_were_left_out(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, sample=0) as sts:
        for _ in range(4):
            await malformed(sts)
        await sts.form(subject_token=forge.jwt(), audience=TARGET)
    [told] = decisions(tmp_path)
    assert (told["outcome"], told["left_out"]) == ("permitted", 4)


async def test_what_was_left_out_at_the_end_is_told_when_the_service_stops(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, sample=1) as sts:
        for _ in range(4):
            await malformed(sts)
    assert bare(lines(tmp_path)[-1]) == {"v": 1, "event": "end", "at": "2027-01-15T12:00:00.000Z", "left_out": 3}


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
    assert [line["left_out"] for line in decisions(tmp_path)] == [2]


@pytest.mark.parametrize(
    "parameters",
    [{"subject_token": "bad"}, {"client_id": "shop", "client_secret": "wrong"}, {"audience": "no target"}],
    ids=["a bad credential", "a wrong secret", "a target that is none, by somebody who was proved"],
)
async def test_what_was_judged_is_always_written(tmp_path: Path, forge: Forge, parameters: Mapping[str, str]) -> None:
    from cambist.client_secret import hash_secret

    plugins = {
        "audit-log": table(tmp_path, sample=0),
        "jwt": {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]},
    }
    shop = {"shop": {"secret_hash": hash_secret("right")}}
    proved = {"client_id": "shop", "client_secret": "right"} if "audience" in parameters else {}
    async with open_sts({"authenticates": [JWT_TYPE], "applications": shop, "plugins": plugins}, clock=forge.clock) as sts:
        asked: dict[str, Any] = {"subject_token": forge.jwt(), "audience": TARGET, **proved, **parameters}
        for _ in range(3):
            await sts.form(**asked)
    assert [line["outcome"] for line in decisions(tmp_path)] == ["refused"] * 3


# ── reading back ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_decision_is_found_again_as_it_was_written(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        answers = [await sts.form(subject_token=forge.jwt(), audience=TARGET) for _ in range(5)]
        for answer, line in zip(answers, decisions(tmp_path), strict=True):
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
    assert found == decisions(tmp_path)[0]


async def test_a_log_that_cannot_be_read_is_told(tmp_path: Path, clock: MovableClock) -> None:
    async with unopened(tmp_path, clock) as log:
        (tmp_path / "audit").rmdir()
        with pytest.raises(Unavailable) as caught:
            await log.find("x")
    assert caught.value.facts["cause"] == "No such file or directory"


CHAIN = "20270115T120000-00000000000000aa"
KEYS = Keyring(Secret(KEK))


def written(folder: Path, *bodies: bytes) -> Path:
    """A segment with these lines between a header and what may follow."""
    name, key, end = SegmentName(CHAIN, 1), KEYS.new(CHAIN), End()
    header = json.dumps({"v": 1, "event": "begin", "segment": str(name), "check": key.check}).encode()
    text = b""
    for body in (header, *bodies):
        line, end = sealed(body, end, key.mac) if body.endswith(b"}") else (body, end)
        text += line + b"\n"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / str(name)).write_bytes(text)
    return folder


def line(decision_id: str, size: int = 0, **more: Any) -> bytes:
    return json.dumps({"v": 1, "decision_id": decision_id, "pad": "p" * size, **more}).encode()


def found(folder: Path, decision_id: str) -> Mapping[str, Any] | None:
    return reading.found(folder, KEYS, decision_id)


@pytest.mark.parametrize("size", [0, 100, reading.BLOCK // 2, reading.BLOCK - 100, MAX_LINE - 60])
def test_lines_of_any_length_are_found_wherever_the_blocks_fall(tmp_path: Path, size: int) -> None:
    folder = written(tmp_path / "log", *(line(f"id-{n}", size) for n in range(12)))
    for n in range(12):
        document = found(folder, f"id-{n}")
        assert document is not None
        assert document["decision_id"] == f"id-{n}"


def test_of_two_lines_with_one_id_the_newer_is_found(tmp_path: Path) -> None:
    folder = written(tmp_path / "log", line("a", which=1), line("b"), line("a", which=2), line("c"))
    assert (found(folder, "a") or {})["which"] == 2


@pytest.mark.parametrize("broken", [b"", b"\n", b'{"decision_id":"b"', b"b", b'["b"]', b"\xff b", b"[" * 100_000 + b"b"])
def test_what_is_no_line_of_ours_is_passed_over(tmp_path: Path, broken: bytes) -> None:
    folder = written(tmp_path / "log", line("a"), broken)
    assert found(folder, "a") is not None
    assert found(folder, "b") is None


def test_a_line_that_was_altered_or_forged_is_not_told_as_the_story_of_a_decision(tmp_path: Path) -> None:
    folder = written(tmp_path / "log", line("a", who="shop"), line("b"))
    [path] = folder.iterdir()
    genuine = path.read_bytes()
    path.write_bytes(genuine.replace(b'"who": "shop"', b'"who": "stop"'))
    with pytest.raises(reading.Altered, match="the line of this decision"):
        found(folder, "a")
    assert found(folder, "b") is not None, "what is genuine is found"
    path.write_bytes(genuine + line("c") + b"\n")
    with pytest.raises(reading.Altered):
        found(folder, "c")


async def test_a_decision_that_was_altered_is_unavailable_and_says_what_to_do(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        answer = await sts.form(subject_token=forge.jwt(), audience=TARGET)
        [path] = segments(tmp_path)
        path.write_bytes(path.read_bytes().replace(b"workload-1", b"workload-2"))
        with pytest.raises(Unavailable) as caught:
            await log_of(sts).find(answer.headers["cambist-decision-id"])
    assert "ask `cambist audit verify`" in str(caught.value.facts["cause"])


async def test_a_decision_is_found_in_whatever_segment_and_chain_it_is(tmp_path: Path, forge: Forge) -> None:
    answered = []
    for _ in range(3):
        async with service(tmp_path, forge, segment_bytes=4096) as sts:
            answers = [await sts.form(subject_token=forge.jwt(), audience=TARGET) for _ in range(5)]
            answered += [answer.headers["cambist-decision-id"] for answer in answers]
    assert len(segments(tmp_path)) > 5
    async with service(tmp_path, forge) as sts:
        for decision_id in answered:
            told = await log_of(sts).find(decision_id)
            assert told is not None
            assert told["decision_id"] == decision_id


def test_memory_is_bounded_whatever_the_file_holds(tmp_path: Path) -> None:
    import tracemalloc

    folder = written(tmp_path / "log", line("first"), b"x" * 8_000_000, line("last"), *(line(f"{n}", 1_000) for n in range(1_500)))
    tracemalloc.start()
    with pytest.raises(reading.Altered):
        found(folder, "last")
    assert found(folder, "1499") is not None
    assert found(folder, "first") is not None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"directory": None}, "plugins.audit-log.directory"),
        ({"kek": "short"}, "plugins.audit-log.kek: must hold at least 32 bytes"),
        ({"kek": "?" * 64}, "plugins.audit-log.kek: must be base64url or hexadecimal"),
        ({"former_keks": ["ab"]}, "plugins.audit-log.former_keks.0: must hold at least 32 bytes"),
        ({"seal_interval": 0}, "plugins.audit-log.seal_interval: Input should be greater than or equal to 0.05"),
        ({"segment_bytes": 1}, "plugins.audit-log.segment_bytes: Input should be greater than or equal to 4096"),
        ({"keep_bytes": 5_000}, "keep_bytes must be at least twice segment_bytes"),
        ({"node": "a/b"}, "plugins.audit-log.node"),
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


async def test_the_kek_may_come_from_the_environment_and_has_no_other_default(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": {"directory": str(tmp_path / "audit")}, "jwt": jwt}}
    monkeypatch.delenv("CAMBIST_KEK", raising=False)
    with pytest.raises(DidNotStart, match="kek: required, here or as the environment variable CAMBIST_KEK"):
        async with open_sts(settings, clock=forge.clock):
            pass
    monkeypatch.setenv("CAMBIST_KEK", KEK)
    async with open_sts(settings, clock=forge.clock) as sts:
        await sts.form(subject_token=forge.jwt(), audience=TARGET)
    assert not (await report(tmp_path, MemoryStore(forge.clock))).damaged
