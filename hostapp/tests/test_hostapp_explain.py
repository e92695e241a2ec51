"""`cambist explain`: the whole story of a decision, as an operator reads it, of every mistake and out of any segment of the ledger."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from habits.workspace import ROOT
from mistakes.making import API, CLOCK, FORGE, MADE, REPOSITORY, SECRET, Mistake, answered, staged
from mistakes.test_mistakes import BEFORE_IT_BEGAN, TABLE

from cambist.testing import ISSUER
from cambist.token_type import JWT
from cambist_hostapp import steps, story
from cambist_hostapp.cli import main

KEK = "4b" * 32
AGENT = {"issuer": FORGE.issuer, "subject": "agent-7"}
STEP = {
    "grant-mistyped": "request",
    "no-token": "client",
    "zone-mistyped": "zone",
    "wrong-secret": "client",
    "nobody-calls": "client",
    "audience-of-another-service": "subject",
    "issuer-out-of-reach": "subject",
    "no-target": "targets",
    "actor-is-another": "delegation",
    "subject-in-a-new-format": "ruling",
    "lifetime-too-long": "ruling",
    "assertion-sent-again": "spend",
}
"""The step that refuses, where it is told apart from those beside it."""


@dataclass(frozen=True)
class Written:
    """A ledger of many small segments, the settings that lead to it, and the id of each decision in it."""

    config: Path
    folder: Path
    ids: dict[str, str]

    def explain(self, name: str, *options: str) -> Result:
        return CliRunner().invoke(main, ["-c", str(self.config), "explain", self.ids.get(name, name), *options], catch_exceptions=False)

    def record(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.explain(name, "--json").output)
        return told


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("explained"))


def written(folder: Path) -> Written:
    """One permit, one delegation and every mistake."""
    audit = {"directory": str(folder / "audit"), "kek": KEK, "sync": "off", "segment_bytes": 4096, "sample": 1000}
    ids = asyncio.run(_decided({"audit-log": audit}))
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in audit.items())
    config = folder / "cambist.toml"
    config.write_text(f'issuer = "{ISSUER}"\n[plugins.opa-wasm]\n[plugins.audit-log]\n{lines}\n')
    return Written(config, folder / "audit", ids)


async def _decided(plugins: dict[str, Any]) -> dict[str, str]:
    issuers = [{"issuer": FORGE.issuer, "jwks": FORGE.jwks, "algorithms": ["ES256"]}, {"issuer": "https://far.example.test"}]
    settings = {"plugins": {"jwt": {"issuers": issuers}, **plugins}}
    made = {"permit": Mistake(), "strange": _strange(), **{name: make() for name, make in MADE.items() if name not in BEFORE_IT_BEGAN}}
    async with staged(**settings) as running:
        ids = {name: _id(await answered(running, "form", one)) for name, one in made.items()}
    async with staged(**settings, applications=_agent()) as running:
        ids["delegation"] = _id(await answered(running, "form", _acting()))
    return ids


def _id(answer: Any) -> str:
    return str(answer.headers["cambist-decision-id"])


def _strange() -> Mistake:
    """What a terminal would obey, in a claim that comes back."""
    return Mistake(members={"subject_token": FORGE.jwt(sub=REPOSITORY, aud="https://a.example.test/\x1b[2J\x9b2J\u202e")})


def _agent() -> dict[str, Any]:
    return {"shop": {"secret_hash": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET), "identities": [AGENT]}}


def _acting() -> Mistake:
    pair = base64.b64encode(f"shop:{SECRET}".encode()).decode()
    return Mistake(members={"actor_token": FORGE.jwt(sub="agent-7"), "actor_token_type": JWT}, headers={"authorization": f"Basic {pair}"})


def test_a_permit_is_told_from_the_request_to_the_token(ledger: Written) -> None:
    told = ledger.explain("permit")
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert lines[0] == f"decision {ledger.ids['permit']}  2027-01-15T12:00:00.000Z  permitted"
    for line in (
        "  who calls    the subject, by its own token",
        f"  for whom     {REPOSITORY} of {FORGE.issuer}",
        f"  asked        read  for {API}",
        "  policy       scripted, revision test: permit, scope read write",
        f"  granted      read  for {API}  300 seconds, until 2027-01-15 12:05:00 UTC",
    ):
        assert line in lines
    assert "why" not in told.output


def test_the_steps_are_told_in_the_order_of_the_story(ledger: Written) -> None:
    """What is deduced of a step that left no trace stands on this order."""
    assert tuple(step["name"] for step in ledger.record("delegation")["steps"]) == steps.ORDER
    told = [line.split()[0] for line in ledger.explain("delegation").output.splitlines() if line.startswith("    ") and " µs " in line]
    assert tuple(told) == steps.ORDER


def test_who_acts_for_whom_is_a_tree(ledger: Written) -> None:
    lines = ledger.explain("delegation").output.splitlines()
    at = lines.index(f"  who acts     agent-7 of {FORGE.issuer}")
    assert lines[at + 1] == f"               └─ for {REPOSITORY} of {FORGE.issuer}"
    assert lines[at - 1] == "  who calls    the application shop, by client-secret"


@pytest.mark.parametrize("name", sorted(set(TABLE) - BEFORE_IT_BEGAN))
def test_each_mistake_is_told_with_its_step_its_cause_and_what_to_do(ledger: Written, name: str) -> None:
    told, record = ledger.explain(name), ledger.record(name)
    explained = record["explained"]
    assert (told.exit_code, record["reason"]) == (0, TABLE[name]["reason"])
    for text in (f"why: {record['reason']}", explained["likely_cause"], explained["fix"], f"{ISSUER}/reasons#{record['reason']}"):
        assert text in told.output
    refused = [line.split()[0] for line in told.output.splitlines() if "REFUSED" in line]
    assert refused == [explained["step"]]
    assert name not in STEP or STEP[name] == explained["step"]


def test_what_was_expected_and_seen_stand_under_each_other(ledger: Written) -> None:
    lines = ledger.explain("audience-spelled-otherwise").output.splitlines()
    [expected] = [n for n, line in enumerate(lines) if line.strip().startswith("expected ")]
    assert lines[expected].index("https://sts.example.test") == lines[expected + 1].index("https://STS.example.test/")


def test_what_the_caller_was_not_told_is_there(ledger: Written) -> None:
    assert "only here  client_id shop" in ledger.explain("wrong-secret").output
    assert "because no rule for this subject" in ledger.explain("subject-in-a-new-format").output
    assert "the keys of https://far.example.test" in ledger.explain("issuer-out-of-reach").output


def test_steps_that_were_not_taken_are_named(ledger: Written) -> None:
    [line] = [line for line in ledger.explain("no-target").output.splitlines() if line.startswith("    not taken")]
    assert line.split(maxsplit=2)[2].split(", ")[0] == "delegation"
    assert line.endswith("mint")


def test_json_is_the_record_with_what_it_means(ledger: Written) -> None:
    record = ledger.record("keys-rotated")
    assert record["refusal"]["seen"] == {"kid": "2026-11", "alg": "ES256"}
    assert set(record["explained"]) == {"step", "meaning", "likely_cause", "fix", "link"}
    assert "explained" not in ledger.record("permit")


def test_nothing_that_a_terminal_obeys_is_printed(ledger: Written) -> None:
    output = ledger.explain("strange").output
    assert "\ufffd[2J" in output
    assert not {char for char in output if not char.isprintable()} - {"\n"}


def test_every_segment_is_read_however_long_ago_it_was_sealed(ledger: Written) -> None:
    assert len(list(ledger.folder.glob("*.jsonl"))) > 5
    assert {ledger.explain(name).exit_code for name in ("permit", "zone-mistyped", "delegation")} == {0}


@pytest.mark.parametrize(
    "name", ["never-was", "../../etc/passwd", "\x1b[2J", "*", "a" * 5_000, "{}", "-hbFM7EQTEWkdP0HjTyqGw", "--nor-this"]
)
def test_an_id_that_is_not_there_is_told_with_where_it_may_be(ledger: Written, name: str) -> None:
    found = ledger.explain(name)
    assert found.exit_code == 1
    assert "the ledger has no decision" in found.output
    assert "sample" in found.output
    assert "\x1b" not in found.output
    assert len(found.output) < 1_000


def test_an_id_may_be_copied_with_its_line_break(ledger: Written) -> None:
    found = CliRunner().invoke(main, ["-c", str(ledger.config), "explain", f"{ledger.ids['permit']}\n"])
    assert (found.exit_code, found.exception) == (0, None)


def test_an_altered_line_is_not_told_and_leaves_no_traceback(tmp_path: Path) -> None:
    ledger = written(tmp_path)
    for segment in ledger.folder.glob("*.jsonl"):
        segment.write_bytes(segment.read_bytes().replace(b'"outcome":"permitted"', b'"outcome":"PERMITTED"'))
    found = ledger.explain("permit")
    assert found.exit_code == 3
    assert "audit verify" in found.output


def test_the_page_shows_what_is_answered_and_printed(ledger: Written) -> None:
    """But for what is another one each time."""
    page = (ROOT / "docs/how-to/find-out-why.md").read_text("utf-8")
    shown = page.split("$ cambist explain ")[1].partition("```")[0]
    printed = ledger.explain("audience-of-another-service").output
    assert _settled(shown).split("\n", 1)[1].strip() == _settled(printed).strip()
    answered_there = json.loads(page.split("```json")[1].partition("```")[0])
    refusal = ledger.record("audience-of-another-service")["refusal"]
    assert {name: answered_there["details"][name] for name in ("expected", "seen", "role")} == {
        n: refusal[n] for n in ("expected", "seen", "role")
    }
    assert answered_there["error_description"].startswith(TABLE["audience-of-another-service"]["said"])
    assert TABLE["audience-of-another-service"]["help"] in answered_there["details"]["hint"]


def _settled(text: str) -> str:
    return re.sub(r" +[\d,]+ µs|(?<=sha256 )\w+|(?<=decision )\S+", "", text)


# ── records that are rarer ──────────────────────────────────────────────────────────────────────────────

BARE: dict[str, Any] = {"decision_id": "d-1", "at": "2027-01-15T12:00:00.000Z", "outcome": "refused", "reason": "internal_fault"}


def said(**members: Any) -> str:
    return "\n".join(story.told({**BARE, **members}))


def test_a_record_of_nothing_but_its_head_is_told() -> None:
    assert said().startswith("decision d-1  2027-01-15T12:00:00.000Z  refused: internal_fault")
    assert "a plugin left something in it" in said(untold="TypeError")


def test_a_cancelled_decision_says_what_that_is() -> None:
    text = said(
        outcome="cancelled", reason=None, steps=[{"name": "policy", "microseconds": 5, "outcome": "failed", "reason": "CancelledError"}]
    )
    assert "cancelled: the caller hung up" in text
    assert "was ended by CancelledError" in text
    assert re.search(r"not taken +ruling, key", text)


def test_a_step_is_not_guessed_where_the_steps_were_left_out() -> None:
    text = said(shortened=["steps"], refusal={"reason": "internal_fault", "said": "Something went wrong inside."})
    assert "REFUSED" not in text
    assert "left out, because the line would have been too long: steps" in text


def test_a_reason_of_a_plugins_own_is_told_without_what_only_core_knows() -> None:
    text = said(
        reason="badge_not_sealed", refusal={"reason": "badge_not_sealed", "said": "The badge is not sealed.", "facts": {"plugin": "badge"}}
    )
    assert "why: badge_not_sealed" in text
    assert "likely" not in text
    assert story.explained({**BARE, "reason": "badge_not_sealed"}, "/page")["explained"]["link"] == "/page"


def test_a_long_chain_is_drawn_one_below_the_other() -> None:
    chain = [{"issuer": "i", "subject": name} for name in ("c", "b", "a")]
    lines = said(outcome="permitted", reason=None, chain=chain, subject={"issuer": "i", "subject": "alice"}).splitlines()
    assert lines[1:5] == [
        "  who acts     c of i",
        "               └─ for b of i",
        "                  └─ for a of i",
        "                     └─ for alice of i",
    ]


def test_the_clock_of_the_ledger_is_the_one_of_the_service() -> None:
    assert steps.moment(CLOCK()) == "2027-01-15 12:00:00 UTC"
    assert steps.moment("never") == "never"
