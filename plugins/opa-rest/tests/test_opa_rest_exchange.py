"""Exchanges over HTTP that a scripted OPA decides: what mints, what never does, and what the ledger and /ready say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cambist import Deny, Permit
from cambist.answer import PolicyUnclear
from cambist.testing import Forge, MovableClock, Running, Scripted, open_sts
from cambist.token_type import JWT
from cambist_opa_rest.testing import Script, ScriptedOpa, said

pytestmark = pytest.mark.row("P-opa-rest")

CLOCK = MovableClock()
API = "https://api.example.test"
FORGE = Forge("https://idp.example.test", "https://sts.example.test", CLOCK)
YES = said({"allow": True})


@asynccontextmanager
async def served(script: Script, **settings: Any) -> AsyncIterator[tuple[Running, ScriptedOpa]]:
    async with ScriptedOpa(script) as opa:
        plugins = {"jwt": {"issuers": [{"issuer": FORGE.issuer, "jwks": FORGE.jwks}]}, "opa-rest": {"url": opa.url, "deadline": 0.3}}
        async with open_sts({"authenticates": [JWT], "plugins": plugins, **settings}, clock=CLOCK) as running:
            yield running, opa


async def test_a_yes_mints_and_an_obligation_bounds_the_token() -> None:
    async with served(YES) as (running, opa):
        answer = await running.form(subject_token=FORGE.jwt(), audience=API)
        assert answer.status_code == 200, answer.text
        assert answer.json()["expires_in"] > 60
        opa.play(said({"allow": True, "obligations": {"max_ttl": 60}}))
        assert (await running.form(subject_token=FORGE.jwt(), audience=API)).json()["expires_in"] == 60
        assert (await running.json(subject_token=FORGE.jwt(), audience=API)).json()["expires_in"] == 60


async def test_the_question_is_the_document_that_every_backend_is_asked() -> None:
    async with served(YES) as (running, opa):
        await running.form(subject_token=FORGE.jwt(), audience=API, scope="read")
        sent = json.loads(opa.asked[0])
        assert sent.keys() == {"input"}
        assert (sent["input"]["subject"]["subject"], sent["input"]["request"]["scope"]) == ("workload-1", ["read"])


async def test_a_no_is_told_in_the_words_of_each_dialect() -> None:
    script = said({"allow": False, "reasons": ["secret", {"reason": "closed", "public": True}]})
    async with served(script) as (running, _):
        form = await running.form(subject_token=FORGE.jwt(), audience=API)
        told = await running.json(subject_token=FORGE.jwt(), audience=API)
        assert (form.status_code, form.json()["error"]) == (400, "access_denied")
        assert (told.status_code, told.json()["error"]) == (403, "access_denied")
        assert "policy denied: closed" in told.json()["error_description"]
        assert "secret" not in form.text + told.text


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(said({"allow": "true"}), id="text"),
        pytest.param({**YES, "body": "{}"}, id="undefined"),
        pytest.param({**YES, "body": YES["body"][:-3]}, id="cut off"),
        pytest.param({**YES, "status": 500}, id="status"),
        pytest.param({**YES, "status": 302, "headers": [["location", "http://127.0.0.1/"]]}, id="redirect"),
        pytest.param({**YES, "delay_s": 60}, id="late"),
        pytest.param({"reset": True}, id="reset"),
        pytest.param({"refused": True}, id="refused"),
        pytest.param({"accept_only": True}, id="silent"),
        pytest.param({"status": 200, "endless_chunks": True}, id="endless"),
    ],
)
async def test_without_an_answer_both_dialects_refuse_cleanly_and_nothing_is_minted(script: Script) -> None:
    async with served(script) as (running, opa):
        for ask, error in ((running.form, "temporarily_unavailable"), (running.json, "server_error")):
            answer = await ask(subject_token=FORGE.jwt(), audience=API)
            assert (answer.status_code, answer.json()["error"]) == (503, error)
            assert "retry-after" in answer.headers
            assert "access_token" not in answer.text
            assert opa.url not in answer.text
        ready = await running.http.get("/ready")
        assert ready.status_code == 503
        assert "opa-rest" in ready.text
        assert all(record.refusal is not None for record in running.records)


async def test_the_ledger_has_the_rules_that_decided_and_the_cause_where_none_did() -> None:
    of_two = said({"allow": True}, provenance={"bundles": {"rules": {"revision": "2027-01"}}})
    async with served({"alternate": [of_two, said({"allow": False}), said(True)]}) as (running, _):
        for _ in range(3):
            await running.form(subject_token=FORGE.jwt(), audience=API)
        yes, no, unclear = (record.trace.outcome("policy") for record in running.records)
        assert (yes, yes.revision) == (Permit(), "rules=2027-01")
        assert (no, no.revision) == (Deny(), "unversioned")
        assert isinstance(unclear, PolicyUnclear)
        assert "Expected `object`" in str(unclear.facts["cause"])


async def test_each_zone_has_the_backend_that_it_names() -> None:
    zones = {"other": {"issuer": "https://sts.example.test/other", "trust_domain": "other.example.test", "policy": "scripted"}}
    zones["other"]["authenticates"] = [JWT]  # type: ignore[assignment]  # a table of TOML has values of every kind
    forge = Forge(FORGE.issuer, "https://sts.example.test/other", CLOCK)
    never = Scripted(Deny(reasons=("never",)))
    async with ScriptedOpa(YES) as opa:
        rest = {"opa-rest": {"url": opa.url}}
        plugins = {"jwt": {"issuers": [{"issuer": FORGE.issuer, "jwks": {"keys": [*FORGE.jwks["keys"]]}}]}, **rest}
        inner = {"jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}, **rest}
        settings = {
            "authenticates": [JWT],
            "policy": "opa-rest",
            "plugins": plugins,
            "zones": {"other": {**zones["other"], "plugins": inner}},
        }
        async with open_sts(settings, modules={"scripted": never}, clock=CLOCK) as running:
            here = await running.json(subject_token=FORGE.jwt(), audience=API)
            there = await running.json(subject_token=forge.jwt(), audience=API, zone_id="other")
            assert (here.status_code, there.status_code) == (200, 403), there.text
            assert (len(opa.asked), len(never.asked)) == (1, 1)
