"""`cambist audit verify|tail|search`, as the command line runs it: in words, in JSON, and by exit code."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from pathlib import Path

import click
import pytest

from cambist import Deny, Permit, PolicyInput, Unavailable
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.testing import decisions, segments, table

IDP = "https://idp.example.test"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"


class NoWriting(Scripted):
    """A policy that permits reading."""

    async def decide(self, question: PolicyInput) -> Permit | Deny:
        return Deny(reasons=("no",)) if "write" in question.request.scope else Permit()


@pytest.fixture
async def sts(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that decided four times, an hour apart."""
    clock = MovableClock()
    forge = Forge(IDP, ISSUER, clock)
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": table(tmp_path), "jwt": jwt}}
    async with open_sts(settings, clock=clock, modules={"scripted": NoWriting(Permit())}) as running:
        for subject, scope in (("checkout", "read"), ("checkout", "write"), ("billing", "read"), ("system:cron", "read")):
            clock.move(3600)
            await running.form(subject_token=forge.jwt(sub=subject), audience=TARGET, scope=scope)
        yield running


def log_of(sts: Running) -> AuditLog:
    [log] = [thing for name, thing in sts.sts.kept if name == "audit-log"]
    assert isinstance(log, AuditLog)
    return log


async def run(sts: Running, *arguments: str) -> int:
    """The exit code."""
    try:
        done = log_of(sts).command().main(list(arguments), prog_name="cambist audit", standalone_mode=False)
        if inspect.isawaitable(done):
            await done
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as wrong:
        return wrong.exit_code
    return 0


async def test_a_whole_ledger_is_said_to_be_whole(sts: Running, capsys: pytest.CaptureFixture[str]) -> None:
    await log_of(sts).seal()
    assert await run(sts, "verify") == 0
    assert capsys.readouterr().out == "whole: 4 decisions in 5 lines, 1 segments, 1 chains\n"
    assert await run(sts, "verify", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"ok": True, "chains": 1, "segments": 1, "lines": 5, "decisions": 4, "damage": [], "notes": []}


async def test_what_was_altered_is_named_with_exit_code_1(sts: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = segments(tmp_path)
    altered = decisions(tmp_path)[1]
    path.write_bytes(path.read_bytes().replace(b'"reason":"policy_denied"', b'"reason":"policy_denIed"'))
    assert await run(sts, "verify") == 1
    said = capsys.readouterr().out
    assert said.startswith("DAMAGED: ")
    assert f"altered     {path.name}:3 (decision {altered['decision_id']}): it is not as it was written" in said
    assert await run(sts, "verify", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert (told["damage"][0]["kind"], told["damage"][0]["line"], told["damage"][0]["decision_id"]) == (
        "altered",
        3,
        altered["decision_id"],
    )


async def test_the_last_decisions_are_shown_oldest_first(sts: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(sts, "tail", "-n", "2") == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[-1] for row in rows] == [line["decision_id"] for line in decisions(tmp_path)[-2:]]
    assert "permitted" in rows[0]
    assert f"billing -> {TARGET}" in rows[0]
    assert await run(sts, "tail", "-n", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == decisions(tmp_path)[-1]
    assert await run(sts, "tail", "-n", "0") == 0
    assert capsys.readouterr().out == ""


async def test_tail_follows_what_comes(sts: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist_audit_log.command.PAUSE", 0.02)
    following = asyncio.create_task(run(sts, "tail", "-n", "1", "--follow"))
    await asyncio.sleep(0.1)
    answer = await sts.form(subject_token="junk", audience=TARGET)
    said = ""
    async with asyncio.timeout(5):
        while answer.json()["decision_id"] not in said:
            await asyncio.sleep(0.02)
            said += capsys.readouterr().out
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ((), [0, 1, 2, 3]),
        (("--outcome", "refused"), [1]),
        (("--outcome", "permitted"), [0, 2, 3]),
        (("--reason", "policy_denied"), [1]),
        (("--reason", "policy_*"), [1]),
        (("--subject", "checkout"), [0, 1]),
        (("--subject", "system:*", "--outcome", "permitted"), [3]),
        (("--client", "*billing"), [2]),
        (("--in-zone", "default"), [0, 1, 2, 3]),
        (("--since", "90m"), [2, 3]),
        (("--since", "2027-01-15T14:00:00Z"), [1, 2, 3]),
        (("--since", "2027-01-15T14:00:00", "--until", "2027-01-15T15:00:00Z"), [1]),
        (("--until", "2027-01-15T14:30:00+01:00"), [0]),
        (("--since", "2027-01-15"), [0, 1, 2, 3]),
        (("-n", "2"), [2, 3]),
    ],
)
async def test_decisions_are_found_by_what_they_were(
    sts: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], numbers: list[int]
) -> None:
    assert await run(sts, "search", "--json", *asked) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [decisions(tmp_path)[number] for number in numbers]


async def test_a_decision_is_found_by_its_id(sts: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = decisions(tmp_path)[2]["decision_id"]
    assert await run(sts, "search", "--decision", wanted) == 0
    assert capsys.readouterr().out.split()[-1] == wanted


@pytest.mark.parametrize(
    "asked", [("--subject", "nobody"), ("--decision", "x"), ("--actor", "*"), ("--since", "0s"), ("--until", "2020-01-01")]
)
async def test_nothing_found_is_exit_code_1(sts: Running, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...]) -> None:
    sts.sts.clock.move(1)  # type: ignore[attr-defined]  # the kit's clock
    assert await run(sts, "search", *asked) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("asked", [("--since", "yesterday"), ("--until", "-5m"), ("--outcome", "fine"), ("-n", "0"), ("--fnord",)])
async def test_what_cannot_be_read_is_a_wrong_command_line(sts: Running, asked: tuple[str, ...]) -> None:
    assert await run(sts, "search", *asked) == 2


@pytest.mark.parametrize("command", ["verify", "tail", "search"])
async def test_a_ledger_that_cannot_be_read_is_unavailable(sts: Running, tmp_path: Path, command: str) -> None:
    (tmp_path / "audit").rename(tmp_path / "aside")
    with pytest.raises(Unavailable) as caught:
        await run(sts, command)
    assert caught.value.facts["cause"] == "No such file or directory"
    (tmp_path / "aside").rename(tmp_path / "audit")


async def test_nothing_is_shown_that_moves_a_cursor(sts: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What strangers name themselves comes out of JSON as they wrote it."""
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b'{"v":1,"decision_id":"x","at":"2099","reason":"\\u001b[2J\\u202e","subject":{"subject":"a\\nb"},"client":{"id":5}}\n')
    assert await run(sts, "tail", "-n", "1") == 0
    said = capsys.readouterr().out
    assert "\\u001b[2J\\u202e" in said
    assert await run(sts, "search", "--decision", "x", "--json") == 0
    for shown in (said, capsys.readouterr().out):
        assert len(shown.splitlines()) == 1
        assert not any(c in shown for c in "\x1b\u202e")


@pytest.mark.parametrize(
    "junk", [b'{"decision_id":"x","at":5,"client":[1],"subject":"s","granted":{"audience":7},"reason":[]}', b"[1]", b"\xff"]
)
async def test_junk_in_the_ledger_stops_no_command(sts: Running, tmp_path: Path, junk: bytes) -> None:
    with segments(tmp_path)[0].open("ab") as file:
        file.write(junk + b"\n")
    assert await run(sts, "tail") == 0
    assert await run(sts, "search", "--since", "9h", "--client", "*") == 0
    assert await run(sts, "verify") == 1
