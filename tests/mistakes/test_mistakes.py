"""Each mistake that people make often is answered with its own reason, with what helps, and with a link; mistakes.toml has the answers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from habits.workspace import ROOT

from cambist.testing import ISSUER

from .making import ENDPOINTS, MADE, Mistake, answered, good, staged

TABLE: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("mistakes.toml").read_text("utf-8"))
ASKED = [(name, dialect) for name, told in TABLE.items() for dialect in ENDPOINTS if dialect in told]
COMPLAINTS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 17, 21, 22, 23, 24}
"""Of the complaints that are known of other services, by their number in our notes, those that are about what a request is answered."""
BEFORE_IT_BEGAN = {"token-for-each-call"}
"""Nothing was decided, so there is no decision to ask for."""


@pytest.mark.parametrize("dialect", ENDPOINTS)
async def test_the_request_that_the_mistakes_are_made_in_is_good(dialect: str) -> None:
    async with staged() as running:
        assert (await answered(running, dialect, Mistake())).json()["scope"] == "read"


@pytest.mark.row("J-errors")
@pytest.mark.row("F-exchange")
@pytest.mark.parametrize(("name", "dialect"), ASKED)
async def test_a_mistake_gives_its_code_its_hint_and_its_link(name: str, dialect: str) -> None:
    told, mistake = TABLE[name], MADE[name]()
    async with staged(**mistake.settings) as running:
        answer = await answered(running, dialect, mistake)
        document = answer.json()
        assert [answer.status_code, document["error"]] == told[dialect]
        assert document["reason"] == told["reason"]
        assert document["error_uri"] == f"{ISSUER}/reasons#{told['reason']}"
        assert told["help"] in document["details"]["hint"]
        if dialect == "form":
            decision = f", decision {document['decision_id']}" if document["decision_id"] else ""
            assert document["error_description"] == f"{told['said']} ({told['reason']}{decision})"
        if answer.status_code in (429, 503):
            assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("reason", sorted({told["reason"] for told in TABLE.values()}))
async def test_the_link_leads_to_an_anchor_that_the_service_has(reason: str) -> None:
    async with staged() as running:
        page = await running.http.get(f"{ISSUER}/reasons#{reason}")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert f'<h3 id="{reason}">' in page.text


@pytest.mark.parametrize(("name", "dialect"), [asked for asked in ASKED if asked[0] not in BEFORE_IT_BEGAN])
async def test_a_mistake_is_one_decision_whose_id_is_in_header_and_body(name: str, dialect: str) -> None:
    """Complaint 22: a refusal without a record cannot be asked for."""
    mistake = MADE[name]()
    async with staged(**mistake.settings) as running:
        answer = await answered(running, dialect, mistake)
        assert answer.headers["cambist-decision-id"] == answer.json()["decision_id"]
        assert [record.decision_id for record in running.records if record.outcome != "permitted"] == [answer.json()["decision_id"]]


async def test_a_mistake_has_words_of_its_own() -> None:
    """Complaint 1: one sentence for every cause. Two mistakes of one reason differ in what was expected or seen."""
    assert len({told["said"] for told in TABLE.values()}) >= len(TABLE) - 1  # a token in quotes and a cut one cannot be told apart
    assert len({told["reason"] for told in TABLE.values()}) > 25


def test_there_is_a_request_for_every_mistake_and_a_mistake_for_every_request() -> None:
    assert list(MADE) == list(TABLE)
    assert len(TABLE) >= 20


def test_each_complaint_about_answers_has_its_mistake() -> None:
    met = {number for told in TABLE.values() for number in told.get("complaints", ())}
    assert met | {22} == COMPLAINTS  # 22 is about all of them


@pytest.mark.parametrize("dialect", ENDPOINTS)
@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t"])
async def test_a_line_break_after_a_token_is_no_mistake(end: str, dialect: str) -> None:
    """Complaint 3: SDKs send a file as it is."""
    async with staged() as running:
        answer = await answered(running, dialect, Mistake(members={"subject_token": f"{good()['subject_token']}{end}"}))
        assert answer.status_code == 200


async def test_what_is_seen_is_the_callers_own_and_nothing_of_the_service() -> None:
    """Neither who else is trusted, nor what is registered, nor where anything is."""
    for name in set(TABLE) - BEFORE_IT_BEGAN:
        async with staged() as running:
            text = (await answered(running, "json", MADE[name]())).text
        assert not re.search(r"jwks\.json|127\.0\.0\.1|ConnectError|robot", text), name
        assert ("https://far.example.test" in text) == (name == "issuer-out-of-reach")


def test_every_link_leads_to_an_anchor_of_the_page_in_the_docs() -> None:
    page = (ROOT / "docs/reference/reasons.md").read_text("utf-8")
    for told in TABLE.values():
        assert f"\n### {told['reason']}\n" in page
