"""`cambist api-key`, and that a key is shown once and never again: not by it, not by anything else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
import msgspec
import pytest

from cambist.hooks import HasCommand
from cambist.testing import MovableClock, Running, open_sts
from cambist.token_type import API_KEY
from cambist_api_key.key import SHAPE, ApiKey

PEPPER = "canary-pepper-that-must-never-be-printed"
Output = pytest.CaptureFixture[str]


@asynccontextmanager
async def service(**table: Any) -> AsyncIterator[tuple[Running, MovableClock]]:
    clock = MovableClock()
    settings = {"authenticates": [API_KEY], "plugins": {"api-key": {"pepper": PEPPER, **table}}}
    async with open_sts(settings, clock=clock) as running:
        await running.sts.zones.named("default")
        yield running, clock


async def run(running: Running, capsys: Output, *arguments: str) -> tuple[str, str]:
    """As `cambist api-key …` runs it: what it printed to its two streams."""
    [bringing] = [thing for _, thing in running.sts.offered("default") if isinstance(thing, HasCommand)]
    await bringing.command().main(list(arguments), prog_name="cambist api-key", standalone_mode=False)
    printed = capsys.readouterr()
    return printed.out, printed.err


@pytest.mark.row("T-api-key")
async def test_create_prints_nothing_but_the_key_where_a_program_reads_it(capsys: Output) -> None:
    async with service() as (sts, _):
        out, err = await run(sts, capsys, "create", "--owner", "team")
    assert SHAPE.fullmatch(out.removesuffix("\n"))
    key = ApiKey.parse(out.strip())
    assert err == f"key {key.id} ends 2027-04-15T12:00:00Z; keep it now, it is not shown again\n"


@pytest.mark.row("T-api-key")
async def test_create_tells_a_program_everything_once(capsys: Output) -> None:
    async with service() as (sts, clock):
        out, err = await run(
            sts, capsys, "create", "--owner", "team", "--scope", "b", "--scope", "a", "--scope", "b", "--expires-in", "12h", "--json"
        )
    made = msgspec.json.decode(out)
    now = int(clock.now)
    assert ApiKey.parse(made.pop("key")).id == made["id"]
    assert made == {
        "id": made["id"], "state": "active", "owner": "team", "subject": "team", "scopes": ["b", "a"],
        "created": now, "expires": now + 43_200, "revoked": None,
    }  # fmt: skip
    assert err == ""


@pytest.mark.row("T-api-key")
async def test_list_shows_every_key_and_no_secret(capsys: Output) -> None:
    async with service() as (sts, clock):
        texts = []
        for arguments in (["--scope", "pay:read", "--scope", "pay:write"], ["--expires-in", "45s"], ["--subject", "bot"]):
            texts.append((await run(sts, capsys, "create", "--owner", "team", *arguments))[0].strip())
            clock.move(1)
        first, second, third = (ApiKey.parse(text) for text in texts)
        await run(sts, capsys, "revoke", third.id)
        clock.move(60)
        plain, _ = await run(sts, capsys, "list")
        document, _ = await run(sts, capsys, "list", "--json")
        kept = [raw async for _, raw in sts.sts.store.scan("")]
    lines = [line.split() for line in plain.splitlines()]
    assert lines[0] == ["ID", "STATE", "ENDS", "OWNER", "SUBJECT", "SCOPES"]
    assert lines[1] == [first.id, "active", "2027-04-15T12:00:00Z", "team", "team", "pay:read", "pay:write"]
    assert [line[:2] for line in lines[2:]] == [[second.id, "expired"], [third.id, "revoked"]]
    assert [entry["id"] for entry in msgspec.json.decode(document)] == [first.id, second.id, third.id]
    digests = [digest for raw in kept if (digest := msgspec.json.decode(raw)["digest"])]
    assert len(digests) == 2
    for secret in (*texts, *(key.secret.reveal() for key in (first, second, third)), *digests, PEPPER):
        assert secret not in plain
        assert secret not in document


async def test_an_empty_list_is_a_list(capsys: Output) -> None:
    async with service() as (sts, _):
        assert (await run(sts, capsys, "list"))[0].split() == ["ID", "STATE", "ENDS", "OWNER", "SUBJECT", "SCOPES"]
        assert msgspec.json.decode((await run(sts, capsys, "list", "--json"))[0]) == []


@pytest.mark.row("T-api-key")
async def test_revoke_is_for_good_and_may_be_said_twice(capsys: Output) -> None:
    async with service() as (sts, clock):
        key_id = ApiKey.parse((await run(sts, capsys, "create", "--owner", "team"))[0].strip()).id
        at = int(clock.now)
        assert (await run(sts, capsys, "revoke", key_id))[0] == f"key {key_id} of team is revoked\n"
        clock.move(5)
        again = msgspec.json.decode((await run(sts, capsys, "revoke", key_id, "--json"))[0])
    assert (again["state"], again["revoked"]) == ("revoked", at)


async def test_revoking_a_key_that_is_not_there_fails_and_repeats_nothing(capsys: Output) -> None:
    async with service() as (sts, _):
        text = (await run(sts, capsys, "create", "--owner", "team"))[0].strip()
        for wrong in ("nobody", text, "", "../default"):
            with pytest.raises(click.ClickException) as failed:
                await run(sts, capsys, "revoke", wrong)
            assert failed.value.exit_code == 1
            assert failed.value.message == "there is no key with this id in this zone"


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--owner", ""], ["--owner", "team", "--subject", ""], ["--owner", "team", "--scope", "a b"], ["--owner", "a\x1b[2J"],
        ["--owner", "team", "--expires-in", "91d"], ["--owner", "team", "--expires-in", "0d"], ["--owner", "team", "--expires-in", "1y"],
        ["--owner", "team", "--expires-in", "-1d"], ["--owner", "team", "--expires-in", "١d"], ["--owner", "team", "key"],
    ],
)  # fmt: skip
async def test_a_command_line_that_is_wrong_makes_no_key(capsys: Output, arguments: list[str]) -> None:
    async with service() as (sts, _):
        with pytest.raises(click.UsageError):
            await run(sts, capsys, "create", *arguments)
        assert msgspec.json.decode((await run(sts, capsys, "list", "--json"))[0]) == []


async def test_the_longest_life_is_the_operators(capsys: Output) -> None:
    async with service(max_lifetime=3_600) as (sts, clock):
        made = msgspec.json.decode((await run(sts, capsys, "create", "--owner", "team", "--json"))[0])
        assert made["expires"] == int(clock.now) + 3_600
        with pytest.raises(click.UsageError, match="at most 3600 seconds"):
            await run(sts, capsys, "create", "--owner", "team", "--expires-in", "61m")


@pytest.mark.row("T-api-key")
async def test_a_key_in_the_url_is_refused_even_if_it_is_good(capsys: Output) -> None:
    async with service() as (sts, _):
        key = (await run(sts, capsys, "create", "--owner", "team"))[0].strip()
        for path in ("/oauth/2/token", "/v1/exchange/token"):
            answer = await sts.http.post(path, params={"subject_token": key, "subject_token_type": API_KEY})
            assert (answer.status_code, answer.json()["reason"]) == (400, "parameter_invalid")
            assert key not in answer.text


@pytest.mark.row("T-api-key")
async def test_no_secret_is_in_any_answer_record_log_or_value(capsys: Output, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with service() as (sts, clock):
        key = ApiKey.parse((await run(sts, capsys, "create", "--owner", "team", "--expires-in", "1h"))[0].strip())
        wrong = ApiKey(id=key.id, secret=ApiKey.fresh().secret)
        texts = [
            key.text().reveal(),
            wrong.text().reveal(),
            key.text().reveal()[:-1],
            f"{key.text().reveal()}=",
            f"Bearer {wrong.text().reveal()}",
        ]
        for when in ("good", "expired", "revoked"):
            for text in texts:
                for ask in (sts.form, sts.json):
                    sent: dict[str, Any] = {"subject_token": text, "subject_token_type": API_KEY, "audience": "https://pay.example"}
                    for more in ({}, {"actor_token": text, "actor_token_type": API_KEY}):
                        answer = await ask(**{**sent, **more})
                        seen += [answer.text, repr(answer.headers)]
            if when == "good":
                clock.move(3_600)
            else:
                await run(sts, capsys, "revoke", key.id)
        seen += [f"{thing!r} {getattr(thing, '__dict__', '')!r}" for _, thing in sts.sts.offered("default")]
        seen += [repr(sts.sts.settings), repr(vars(sts.sts))]
        seen += [str([pair async for pair in sts.sts.store.scan("")]), *(await run(sts, capsys, "list"))]
        for record in sts.records:
            refusal = record.refusal
            seen += [repr(record), repr(record.trace), repr([step.outcome for step in record.trace.steps])]
            seen += [] if refusal is None else [f"{refusal} {refusal!r} {refusal.facts} {refusal.seen} {refusal.__cause__!r}"]
        outcomes = {record.outcome for record in sts.records}
        metrics = await sts.http.get("/metrics")
    assert outcomes >= {"permitted", "credential_expired", "credential_rejected", "credential_malformed"}
    assert len(sts.records) == 60
    told = "\n".join([*seen, metrics.text, caplog.text, *(repr(vars(entry)) for entry in caplog.records)])
    assert key.id in told
    for secret in (key.secret.reveal(), wrong.secret.reveal(), PEPPER):
        assert secret not in told
        assert secret[:20] not in told
