"""What both endpoints do alike: decisions, shapes of refusals, request ids, features that are not there, and how fast they say no."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist import Deny, Permit, PolicyInput
from cambist.compact import Compact
from cambist.policy import Answer
from cambist.testing import ABSENT, ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.wire.reading import ABSENT_FEATURES

API = "https://api.example.test"
PATHS = ("/oauth/2/token", "/v1/exchange/token")


def rules(question: PolicyInput) -> Answer:
    if question.subject.identity.subject == "nobody":
        return Deny(reasons=("nobody",), said=("nobody",))
    return Permit(scope=frozenset("abc"), ttl=120)


@asynccontextmanager
async def opened(policy: Scripted | None = None, **more: Any) -> AsyncIterator[tuple[Running, Forge]]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules = {"trusting": Trusting(forge), "scripted": policy or Scripted(rules)}
    async with open_sts({"authenticates": [JWT], **more}, modules=modules, clock=clock) as running:
        yield running, forge


async def both(running: Running, *, headers: Mapping[str, str] | None = None, **sent: Any) -> list[httpx.Response]:
    return [await running.form(headers=headers, **sent), await running.json(headers=headers, **sent)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {"subject_token_type": st.sampled_from([JWT, "urn:x:y", ""])},
        optional={
            "audience": st.sampled_from([API, "", "x", "urn:a:b"]),
            "scope": st.sampled_from(["a", "a b z", "z", "", "a  b", "é"]),
            "ttl_seconds": st.sampled_from(["60", "0", "-1", "9999"]),
            "actor_token": st.sampled_from(["", "x"]),
            "zone_id": st.sampled_from(["default", "nowhere"]),
            "requested_token_type": st.sampled_from([JWT, "x"]),
            "session_id": st.sampled_from(["", "s"]),
            "client_id": st.sampled_from(["", "ci"]),
            "client_secret": st.just("x"),
        },
    ),
    st.fixed_dictionaries(
        {}, optional={"sub": st.sampled_from(["nobody", "a"]), "scope": st.just("a"), "exp": st.just(1), "aud": st.just("x")}
    ),
)
async def test_both_dialects_decide_alike(sent: dict[str, Any], changes: dict[str, Any]) -> None:
    """SF-09."""
    if "actor_token" in sent:
        sent = {**sent, "actor_token_type": JWT}  # without, the dialects differ by decision 3
    async with opened() as (running, forge):
        form, told = await both(running, subject_token=forge.jwt(**changes), **sent)
    assert (form.status_code == 200) == (told.status_code == 200)
    if form.status_code != 200:
        assert form.json()["reason"] == told.json()["reason"]
        assert form.json()["error"] == told.json()["sts_error"]
        return
    one, other = (Compact.parse(answered.json()["access_token"]).claims for answered in (form, told))
    mine = {"jti", "txn", "td"}
    assert {n: v for n, v in one.items() if n not in mine} == {n: v for n, v in other.items() if n not in mine}


@pytest.mark.parametrize("name", ABSENT_FEATURES)
async def test_parameters_of_absent_features_are_refused_by_name(name: str) -> None:
    feature: dict[str, Any] = {name: "x"}
    async with opened() as (running, forge):
        for answered in await both(running, subject_token=forge.jwt(), audience=API, **feature):
            assert (answered.status_code, answered.json()["reason"]) == (400, "parameter_unsupported")
            assert name in answered.json()["error_description"]


async def test_a_dpop_proof_is_refused_rather_than_ignored() -> None:
    """Decision 12: who sends one must not get a bearer token."""
    async with opened() as (running, forge):
        for answered in await both(running, subject_token=forge.jwt(), audience=API, headers={"DPoP": "a.b.c"}):
            assert (answered.status_code, answered.json()["details"]["seen"]) == (400, "DPoP")


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t"])
async def test_whitespace_around_a_token_is_not_part_of_it(around: str) -> None:
    async with opened() as (running, forge):
        for answered in await both(running, subject_token=f"{around}{forge.jwt()}{around}", audience=API):
            assert answered.status_code == 200


@pytest.mark.row("J-errors")
@pytest.mark.parametrize("sent", ["AZaz09._-", "a" * 128])
async def test_a_request_id_that_is_plain_comes_back(sent: str) -> None:
    async with opened() as (running, forge):
        answers = await both(running, subject_token=forge.jwt(), audience=API, headers={"x-request-id": sent})
        answers += await both(running, headers={"X-Request-ID": sent})
        answers.append(await running.http.get("/nothing", headers={"x-request-id": sent}))
    assert [answered.headers["x-request-id"] for answered in answers] == [sent] * 5
    assert [answered.json().get("request_id") for answered in answers] == [None, None, sent, sent, sent]


@pytest.mark.row("J-errors")
@pytest.mark.parametrize("sent", [b"", b"a" * 129, b"a b", b"a\xe2\x80\xa8level=error", b"<x>", b"a;b", b"\xff"])
async def test_any_other_request_id_is_replaced(sent: bytes) -> None:
    """H13: it goes into logs."""
    async with opened() as (running, _):
        for path in PATHS:
            answered = await running.http.post(path, headers=[(b"x-request-id", sent)])
            assert len(answered.headers["x-request-id"]) == 22
            assert answered.json()["request_id"] == answered.headers["x-request-id"]


@pytest.mark.row("F-exchange")
@pytest.mark.row("J-errors")
async def test_every_refusal_is_json_explains_itself_and_is_not_kept() -> None:
    """E13, TE-12."""
    async with opened() as (running, forge):
        answers = [
            *await both(running),
            *await both(running, subject_token=forge.jwt(exp=1), audience=API),
            *await both(running, subject_token=forge.jwt(sub="nobody"), audience=API),
            *await both(running, subject_token=forge.jwt(), audience="x"),
            *await both(running, subject_token="x", subject_token_type="urn:cambist:token-type:api-key", audience=API),
            *[await running.http.request(method, path) for path in PATHS for method in ("GET", "HEAD", "FOO", "TRACE")],
            *[await running.http.post(path, content=b"a" * 70_000) for path in PATHS],
        ]
    for answered in answers:
        assert answered.status_code in (400, 401, 403, 405, 413, 501)
        assert answered.headers["content-type"] == "application/json"
        assert (answered.headers["cache-control"], answered.headers["pragma"]) == ("no-store", "no-cache")
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answered.headers
        assert answered.headers["cambist-decision-id"]
        if answered.request.method != "HEAD":
            assert {"error", "error_description", "reason", "decision_id", "request_id", "details"} <= set(answered.json())
            assert answered.json()["decision_id"] == answered.headers["cambist-decision-id"]


async def test_an_expired_token_is_explained_by_its_own_times() -> None:
    async with opened() as (running, forge):
        now = int(forge.clock())
        for answered in await both(running, subject_token=forge.jwt(exp=now - 5, iat=now - 50), audience=API):
            assert answered.json()["error_description"].startswith("it expired 5 seconds ago")
            assert answered.json()["details"]["seen"] == {"exp": now - 5, "now": now}


async def test_host_and_forwarded_headers_change_nothing() -> None:
    """Decision 29, E14."""
    evil = {"host": "evil.test", "x-forwarded-host": "evil.test", "x-forwarded-proto": "http", "forwarded": "host=evil.test"}
    async with opened() as (running, forge):
        for answered in await both(running, subject_token=forge.jwt(), audience=API, headers=evil):
            assert Compact.parse(answered.json()["access_token"]).claims["iss"] == ISSUER
        metadata = await running.http.get("/.well-known/oauth-authorization-server", headers=evil)
        assert "evil" not in metadata.text


@pytest.mark.parametrize("changes", [{"iss": "https://other.test"}, {"iss": ABSENT}, {"aud": "https://other.test"}, {"nbf": 4e9}])
async def test_a_subject_token_that_is_not_good_is_an_invalid_request(changes: dict[str, Any]) -> None:
    """TX-39, TX-06."""
    async with opened() as (running, forge):
        for answered in await both(running, subject_token=forge.jwt(**changes), audience=API):
            assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")
            assert answered.json()["details"]["role"] == "subject"


async def test_a_zone_may_take_the_other_media_type_and_the_endpoint_keeps_its_shapes() -> None:
    """Decision 7."""
    async with opened(zones={"open": {"accept": ["form", "json"], "authenticates": [JWT]}}) as (running, forge):
        for path, mine in zip(PATHS, ("form", "json"), strict=True):
            for zone in ("default", "open"):
                body = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": API, "zone_id": zone}
                token = {"subject_token": forge.jwt(aud=ISSUER), "subject_token_type": JWT}
                as_form = await running.http.post(path, data=body | token)
                as_json = await running.http.post(path, json=body | token)
                codes = [as_form.status_code, as_json.status_code]
                assert codes == ([200, 200] if zone == "open" else [200, 400] if mine == "form" else [400, 200])
        refused = await running.http.post(PATHS[1], data={"zone_id": "open"})
    assert refused.json()["sts_error"] == "invalid_request"


async def test_two_hundred_bad_requests_are_refused_in_under_ten_milliseconds_each() -> None:
    bad = [
        {"content": b"", "headers": {}},
        {"content": b"\xff" * 60_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"a&" * 30_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"[" * 60_000, "headers": {"content-type": "application/json"}},
        {"content": json.dumps({"grant_type": "x" * 60_000}).encode(), "headers": {"content-type": "application/json"}},
    ]
    async with opened() as (running, forge):
        tampered = forge.jwt()[:-4] + "AAAA"
        times = []
        for number in range(200):
            path = PATHS[number % 2]
            began = time.process_time()
            if number % 6 == 5:
                (answered, _) = await both(running, subject_token=tampered, audience=API)
            else:
                answered = await running.http.post(path, **bad[number % 6])  # type: ignore[arg-type]  # a table of keyword arguments
            times.append(time.process_time() - began)
            assert 400 <= answered.status_code < 500
        assert len(running.records) >= 200
    assert statistics.median(times) < (0.010 if sys.gettrace() is None else 0.1)  # what traces a run slows it down
