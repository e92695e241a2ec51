"""Everything that an OPA server, or whoever stands in its place, may answer; and that only a clear yes is one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist import Answer, Deny, Permit, Refusal, Unavailable
from cambist.answer import PolicyUnclear
from cambist.egress import Answer as Reply
from cambist.egress import Egress, EgressSettings
from cambist.policy import ask
from cambist.testing import question
from cambist_opa_rest.policy import OpaRestPolicy
from cambist_opa_rest.reply import MAX_BODY, answered
from cambist_opa_rest.settings import OpaRestSettings
from cambist_opa_rest.testing import Script, ScriptedOpa, said

pytestmark = pytest.mark.row("P-opa-rest")

JSON = [["content-type", "application/json"]]
YES, NO = said({"allow": True}), said({"allow": False, "reasons": ["no"]})
BOTH = '{"result":{"allow":false},"result":{"allow":true}}'


def body(text: str, **script: Any) -> Script:
    return {"status": 200, "headers": JSON, "body": text, **script}


def raw(script: Script, behind: bytes = b"") -> Script:
    """The same as bytes, with more behind it in the same packet."""
    length = len(script["body"].encode())
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    return {"raw": head.encode() + script["body"].encode() + behind}


@asynccontextmanager
async def asking(script: Script, **changes: Any) -> AsyncIterator[tuple[OpaRestPolicy, ScriptedOpa]]:
    async with ScriptedOpa(script) as opa, Egress(EgressSettings()) as http:
        yield OpaRestPolicy(OpaRestSettings(**{"url": opa.url, **changes}), http), opa


async def came(policy: OpaRestPolicy) -> Answer | Refusal:
    try:
        return await ask(policy, question())
    except Refusal as refusal:
        return refusal


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(YES, Permit(), id="yes"),
        pytest.param(said({"allow": True}, decision_id="x", metrics={}), Permit(), id="what OPA puts around it"),
        pytest.param(said({"allow": True, "obligations": {"max_ttl": 60}}, decision_id="x"), Permit(ttl=60), id="an obligation"),
        pytest.param(said({"allow": True, "ttl": 30, "obligations": {"max_ttl": 60}}), Permit(ttl=30), id="the shorter of both, ttl"),
        pytest.param(said({"allow": True, "ttl": 90, "obligations": {"max_ttl": 60}}), Permit(ttl=60), id="the shorter of both, max_ttl"),
        pytest.param(said({"allow": True, "scope": ["a"], "claims": {"c": 1}}), Permit(scope=frozenset("a"), claims={"c": 1}), id="bounds"),
        pytest.param(
            body('{"result":{"allow":true}}\n', headers=[["Content-Type", "Application/JSON; charset=utf-8"]]), Permit(), id="charset"
        ),
        pytest.param(NO, Deny(reasons=("no",)), id="no"),
        pytest.param(said({"allow": True, "targets": {"t": {"allow": False}}}), Deny(targets=("t",)), id="one target refused"),
    ],
)
async def test_a_clear_answer_is_understood(script: Script, answer: Answer) -> None:
    async with asking(script) as (policy, _):
        assert await came(policy) == answer


@pytest.mark.parametrize("value", ["true", 1, 1.0, "yes", [1], None, [], "allow", [[True]], {}, {"allow": True}, -1])
async def test_only_true_allows(value: Any) -> None:
    async with asking(said({"allow": value})) as (policy, _):
        assert isinstance(await came(policy), PolicyUnclear)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        pytest.param(body("{}"), "undefined", id="undefined"),
        pytest.param(body('{"decision_id":"x"}'), "undefined", id="undefined, with an id"),
        pytest.param(said(None), "Expected `object`", id="null"),
        pytest.param(said(True), "Expected `object`", id="bare true"),
        pytest.param(said("true"), "Expected `object`", id="text"),
        pytest.param(said([{"allow": True}]), "Expected `object`", id="list"),
        pytest.param(said({}), "allow", id="empty"),
        pytest.param(said({"ALLOW": True}), "ALLOW", id="upper case"),
        pytest.param(body('{"allow":true}'), "more than a decision: allow", id="no envelope"),
        pytest.param(body('{"Result":{"allow":true}}'), "more than a decision: Result", id="another envelope"),
        pytest.param(said({"allow": True}, error="x"), "more than a decision: error", id="an error beside it"),
        pytest.param(said({"allow": True}, warning={"code": "api_usage_warning"}), "more than a decision: warning", id="a warning"),
        pytest.param(said({"allow": True, "deny": ["blocked"]}), "deny", id="an unknown bound"),
        pytest.param(said({"allow": True, "obligations": {"max_ttl": 60, "log": True}}), "`log` - at `$.obligations`", id="an unknown one"),
        pytest.param(said({"allow": True, "obligations": {"max_ttl": "60"}}), "`$.obligations.max_ttl`", id="one of another type"),
        pytest.param(said({"allow": True, "obligations": {"max_ttl": 0}}), "`$.obligations.max_ttl`", id="an obligation to nothing"),
        pytest.param(said({"allow": True, "obligations": ["max_ttl"]}), "obligations", id="obligations that are a list"),
        pytest.param(said({"allow": True, "ttl": True}), "ttl", id="a ttl that is true"),
        pytest.param(said({"allow": True}, provenance=[]), "provenance", id="provenance of another type"),
        pytest.param(said({"allow": True}, provenance={"bundles": {"b": "r"}}), "provenance", id="bundles of another type"),
        pytest.param(said({"allow": True}, provenance={"bundles": {"b": {"revision": "r\n"}}}), "short line", id="a revision of two lines"),
        pytest.param(said({"allow": True}, provenance={"bundles": {"b": {"revision": "r" * 2000}}}), "short line", id="a long revision"),
        pytest.param(body("[]"), "not an object", id="list instead"),
        pytest.param(body("true"), "not an object", id="true instead"),
        pytest.param(body(""), "not one JSON value", id="nothing"),
        pytest.param(body('{"result":{"allow":tru'), "not one JSON value", id="cut off"),
        pytest.param(body(BOTH), "repeated", id="two results"),
        pytest.param(body('{"result":{"allow":false,"allow":true}}'), "repeated", id="two allows"),
        pytest.param(body('{"result":{"allow":NaN}}'), "NaN", id="NaN"),
        pytest.param(body('\ufeff{"result":{"allow":true}}'), "byte order mark", id="byte order mark"),
        pytest.param(body('{"result":{"allow":true}} {"result":{"allow":false}}'), "not one JSON value", id="two documents"),
        pytest.param(body('{"result":{"allow":true}}//'), "not one JSON value", id="comment"),
        pytest.param(body("{'result':{'allow':true}}"), "not one JSON value", id="other quotes"),
        pytest.param(body('{"result":' + "[" * 2000 + "]" * 2000 + "}"), "nested too deeply", id="deep"),
        pytest.param(body(YES["body"], headers=[["content-type", "text/plain"]]), "not said to be JSON", id="text/plain"),
        pytest.param(body(YES["body"], headers=[["content-type", "text/html"]]), "not said to be JSON", id="text/html"),
        pytest.param(body(YES["body"], headers=[]), "not said to be JSON", id="no type"),
        pytest.param(body(" " * MAX_BODY + YES["body"]), "longer than", id="longer than an answer is"),
    ],
)  # fmt: skip
async def test_what_is_no_clear_answer_is_refused_with_its_cause(script: Script, cause: str) -> None:
    async with asking(script) as (policy, _):
        refusal = await came(policy)
        assert isinstance(refusal, PolicyUnclear), refusal
        assert cause in str(refusal.facts["cause"])


@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 302, 307, 308, 400, 401, 403, 404, 418, 429, 500, 502, 503, 999])
async def test_an_allowing_body_under_another_status_allows_nothing(status: int) -> None:
    async with asking({**YES, "status": status, **({"body": ""} if status == 204 else {})}) as (policy, opa):
        refusal = await came(policy)
        assert isinstance(refusal, Unavailable)
        assert f"status {status}" in str(refusal.facts["cause"])
        assert len(opa.asked) == 1


async def test_a_redirect_is_not_followed() -> None:
    async with (
        ScriptedOpa(YES) as elsewhere,
        asking({**YES, "status": 307, "headers": [*JSON, ["location", f"{elsewhere.url}/v1/data"]]}) as (policy, _),
    ):
        assert isinstance(await came(policy), Unavailable)
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        pytest.param({**YES, "delay_s": 120}, "", id="after two minutes"),
        pytest.param({**YES, "drip_bytes_per_s": 5}, "", id="byte by byte"),
        pytest.param({"accept_only": True}, "", id="says nothing"),
        pytest.param({**YES, "status": 199}, "", id="an interim status and no final one"),
        pytest.param({"status": 200, "body_repeat": ["A", 200_000_000]}, "above the size limit", id="200 MB"),
        pytest.param({"status": 200, "endless_chunks": True}, "above the size limit", id="endless chunks"),
        pytest.param({"headers": JSON, "gzip_of_repeat": ["A", 50_000_000]}, "compressed", id="gzip bomb"),
        pytest.param({**YES, "headers": [*JSON, ["content-encoding", "br"]]}, "compressed", id="another encoding"),
        pytest.param({"reset": True}, "Error", id="reset"),
        pytest.param({"refused": True}, "ConnectError", id="nothing listens"),
        pytest.param({"raw": b"SSH-2.0-OpenSSH_9.6\r\n\r\n"}, "RemoteProtocolError", id="no HTTP"),
        pytest.param({"raw": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n"}, "RemoteProtocolError", id="lengths"),
        pytest.param({"raw": b"HTTP/1.1 200 OK\r\n" + b"x-filler: " + b"a" * 200_000}, "RemoteProtocolError", id="a huge header"),
    ],
)  # fmt: skip
async def test_who_does_not_answer_in_time_and_in_full_allows_nothing(script: Script, cause: str) -> None:
    async with asking(script, deadline=0.3) as (policy, _):
        began = time.monotonic()
        refusal = await came(policy)
        assert time.monotonic() - began < 1
        assert isinstance(refusal, Unavailable)
        assert cause in str(refusal.facts.get("cause"))


async def test_a_name_that_does_not_resolve_allows_nothing() -> None:
    async with asking(YES, url="https://opa.invalid", deadline=0.9) as (policy, opa):
        assert isinstance(await came(policy), Unavailable)
        assert opa.connections == 0


async def test_an_answer_that_ends_early_allows_nothing() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{"result":{"allow":true}}')
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server, Egress(EgressSettings()) as http:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert isinstance(await came(OpaRestPolicy(OpaRestSettings(url=url), http)), Unavailable)


async def test_each_answer_is_for_its_own_question_however_they_alternate() -> None:
    async with asking({"alternate": [YES, NO]}) as (policy, opa):
        answers = [await came(policy) for _ in range(20)]
        assert [isinstance(answer, Permit) for answer in answers] == [True, False] * 10
        assert len(opa.asked) == 20


async def test_no_yes_outlives_the_server_that_said_it() -> None:
    async with asking(YES) as (policy, opa):
        assert isinstance(await came(policy), Permit)
        for script in ({"reset": True}, {"status": 503, "body": ""}, body("{}"), NO):
            opa.play(script)
            assert not isinstance(await came(policy), Permit)
        opa.play(YES)
        assert isinstance(await came(policy), Permit)


async def test_connections_are_used_again() -> None:
    async with asking(YES) as (policy, opa):
        for _ in range(20):
            assert isinstance(await came(policy), Permit)
        assert (opa.connections, len(opa.asked)) == (1, 20)


async def test_a_connection_that_was_given_up_is_not_used_again() -> None:
    """Its late answer would be read as the answer to the next question."""
    async with asking({"alternate": [{**YES, "delay_s": 0.3}, NO]}, deadline=0.2) as (policy, opa):
        assert isinstance(await came(policy), Unavailable)
        await asyncio.sleep(0.2)
        assert isinstance(await came(policy), Deny)
        assert opa.connections == 2


@pytest.mark.parametrize(
    "behind", [raw(YES)["raw"], raw(YES)["raw"] * 3, b"HTTP/1.1 200", b"\r\n"], ids=["a yes", "three", "a part", "a line"]
)
async def test_what_stands_behind_an_answer_does_not_answer_the_next_question(behind: bytes) -> None:
    """Response queue poisoning: a confused proxy sends one answer too many, and everybody is given somebody else's."""
    async with asking({"alternate": [raw(NO, behind), NO, NO]}) as (policy, opa):
        assert [isinstance(await came(policy), Deny) for _ in range(3)] == [True] * 3
        assert opa.connections == 2


async def test_fifty_at_once_are_answered_each_by_itself() -> None:
    async with asking(YES) as (policy, opa):
        answers = await asyncio.gather(*(came(policy) for _ in range(50)))
        assert answers == [Permit()] * 50
        assert len(opa.asked) == 50


async def test_a_server_that_hangs_holds_nobody_longer_than_the_deadline() -> None:
    async with asking({"accept_only": True}, deadline=0.3) as (policy, opa):
        began = time.monotonic()
        answers = await asyncio.gather(*(came(policy) for _ in range(150)))  # more than there may be connections
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert time.monotonic() - began < 2
        opa.play(YES)
        assert isinstance(await came(policy), Permit)


async def test_the_health_question_is_about_nobody_and_fails_as_a_decision_does() -> None:
    async with asking(NO) as (policy, opa):
        await policy.ping()
        assert json.loads(opa.asked[0])["input"]["subject"]["issuer"] == "https://probe.invalid"
        for script in (body("{}"), {"status": 401, "body": ""}, {"reset": True}, said(True)):
            opa.play(script)
            with pytest.raises(Unavailable):
                await policy.ping()


async def test_the_bundles_that_decided_are_named_with_each_answer() -> None:
    both = {"version": "1", "bundles": {"b": {"revision": "2"}, "a": {"revision": "1"}, "none": {"revision": ""}}}
    async with asking({"alternate": [said({"allow": True}, provenance=both), said({"allow": False}, provenance={}), NO]}) as (policy, _):
        assert policy.revision == "unversioned"
        answer = await policy.decide(question())
        assert (answer.revision, policy.revision) == ("a=1, b=2", "a=1, b=2")
        assert (await policy.decide(question())).revision == "unversioned"
        assert (await policy.decide(question())).revision == "unversioned" == policy.revision


async def test_what_cannot_be_said_in_json_is_not_sent() -> None:
    from cambist.value import replace

    asked = question()
    proven = replace(asked.subject, identity=replace(asked.subject.identity, attributes={"limit": float("nan")}))
    async with asking(YES) as (policy, opa):
        with pytest.raises(Unavailable, match="needed to decide"):
            await policy.decide(replace(asked, subject=proven))
        assert opa.connections == 0


# ── anything at all ─────────────────────────────────────────────────────────────────────────────────────

scalars = st.none() | st.booleans() | st.integers(-3, 100) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
names = st.sampled_from(
    ["allow", "reasons", "scope", "ttl", "claims", "multi_audience", "targets", "obligations", "max_ttl", "deny", "reason"]
)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=8)
results = documents | st.fixed_dictionaries(
    {"allow": st.just(True) | scalars}, optional={"ttl": documents, "scope": documents, "claims": documents}
)
envelopes = st.fixed_dictionaries({"result": results}, optional={"decision_id": scalars, "warning": scalars, "provenance": documents})
KNOWN = {"allow", "reasons", "scope", "ttl", "obligations", "claims", "multi_audience", "targets"}


def _is_permit(envelope: Any) -> bool:
    """An independent, narrow reading of the contract: what is not this must not be a permission."""
    if not isinstance(envelope, dict) or not envelope.keys() <= {"result", "decision_id", "provenance", "metrics"}:
        return False
    result = envelope.get("result")
    return isinstance(result, dict) and result.keys() <= KNOWN and result.get("allow") is True and result.get("deny") is None


def _answer(reply: Reply) -> Answer | Refusal:
    try:
        return answered(reply)
    except Unavailable as refusal:
        return refusal


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(envelopes | documents, st.sampled_from([200, 200, 200, 201, 404, 500]))
def test_no_document_permits_but_a_valid_permit(envelope: Any, status: int) -> None:
    found = _answer(Reply(status, {"content-type": "application/json"}, json.dumps(envelope).encode()))
    if isinstance(found, Permit):
        assert status == 200
        assert _is_permit(envelope)
        assert found.ttl is None or found.ttl > 0


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=60), st.integers(0, 26), st.integers(0, 26))
def test_a_yes_with_bytes_cut_out_or_put_in_permits_only_if_it_still_is_one(noise: bytes, start: int, end: int) -> None:
    whole = YES["body"].encode()
    mutant = whole[:start] + noise + whole[end:]
    found = _answer(Reply(200, {"content-type": "application/json"}, mutant))
    assert isinstance(found, Deny | Permit | Unavailable)
    if isinstance(found, Permit):
        assert _is_permit(json.loads(mutant))
