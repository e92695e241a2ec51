"""`POST /oauth/2/token`: RFC 8693 by form, with the RFC's own errors, and client credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from cambist import Deny, Permit
from cambist.answer import answer
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import ACCESS_TOKEN, JWT
from cambist.zone import TOKEN_EXCHANGE

API = "https://api.example.test"
FORM = "application/x-www-form-urlencoded"


@asynccontextmanager
async def opened(policy: Scripted | None = None, **settings: Any) -> AsyncIterator[tuple[Running, Forge]]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules: dict[str, Any] = {"trusting": Trusting(forge), **({"scripted": policy} if policy else {})}
    async with open_sts({"authenticates": [JWT], **settings}, modules=modules, clock=clock) as running:
        yield running, forge


def claims(answered: Any) -> dict[str, Any]:
    assert answered.status_code == 200, answered.text
    return dict(Compact.parse(answered.json()["access_token"]).claims)


@pytest.mark.row("F-exchange")
async def test_the_least_request_is_answered_as_the_rfc_has_it() -> None:
    """TX-17 to TX-20, TE-12."""
    async with opened() as (running, forge):
        answered = await running.form(subject_token=forge.jwt(), resource=API)
    document, token = answered.json(), claims(answered)
    assert {**document, "access_token": ""} == {
        "access_token": "",
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
    }
    assert (token["iss"], token["aud"], token["client_id"]) == (ISSUER, API, token["sub"])
    assert "act" not in token
    assert (answered.headers["cache-control"], answered.headers["pragma"]) == ("no-store", "no-cache")
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["cambist-decision-id"] == token["txn"]


@pytest.mark.row("F-exchange")
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "token-exchange"}, "unsupported_grant_type"),
        ({"grant_type": TOKEN_EXCHANGE.upper()}, "unsupported_grant_type"),
        ({"grant_type": f"{TOKEN_EXCHANGE} "}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "unsupported_grant_type"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "x"}, "invalid_request"),
        ({"subject_token": "a.b.c"}, "invalid_request"),
        ({"subject_token_type": ""}, "invalid_request"),
        ({"subject_token_type": "jwt"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"subject_token_type": "urn:starfly:token-type:kerberos"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"requested_token_type": f"{JWT} {ACCESS_TOKEN}"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"actor_token_type": JWT}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": JWT}, "invalid_request"),
        ({"resource": ""}, "invalid_target"),
        ({"resource": "/x"}, "invalid_target"),
        ({"resource": f"{API}/#x"}, "invalid_target"),
        ({"resource": "javascript:alert(1)"}, "invalid_target"),
        ({"resource": "", "audience": "a" * 20_000}, "invalid_target"),
        ({"audience": "a\r\nb"}, "invalid_request"),
        ({"scope": "a  b"}, "invalid_scope"),
        ({"scope": "a\\b"}, "invalid_scope"),
        ({"scope": "é"}, "invalid_scope"),
        ({"scope": " ".join(f"s{n}" for n in range(5000))}, "invalid_scope"),
        ({"ttl_seconds": "x"}, "invalid_request"),
        ({"ttl_seconds": "3601"}, "invalid_request"),
        ({"zone_id": "nowhere"}, "invalid_request"),
        ({"execution_scope": "{}"}, "invalid_request"),
        ({"session_id": "s"}, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_told_by_the_codes_of_the_rfcs(parameters: dict[str, str], error: str) -> None:
    async with opened() as (running, forge):
        sent: dict[str, Any] = {"subject_token": forge.jwt(), "resource": API, **parameters}
        refused = await running.form(**sent)
    assert (refused.status_code, refused.json()["error"]) == (400, error)


@pytest.mark.parametrize("name", ["grant_type", "subject_token", "requested_token_type", "scope", "actor_token", "client_id", "foo"])
async def test_no_parameter_but_a_target_comes_twice(name: str) -> None:
    """TE-03, H6: with one value or with two."""
    async with opened() as (running, _):
        for values in (("a", "a"), ("a", "b")):
            body = urlencode([("resource", API), *((name, value) for value in values)])
            refused = await running.http.post("/oauth/2/token", content=body, headers={"content-type": FORM})
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
            assert refused.json()["details"]["seen"] == name


async def test_unknown_parameters_are_ignored_and_blank_ones_are_absent() -> None:
    """TE-04, TE-06."""
    async with opened() as (running, forge):
        names = ("scope", "actor_token", "client_id", "ttl_seconds", "session_id", "zone_id", "execution_scope", "requested_token_type")
        blank: dict[str, Any] = {**dict.fromkeys(names, ""), "foo": "bar"}
        assert claims(await running.form(subject_token=forge.jwt(), resource=API, **blank))["aud"] == API


@pytest.mark.parametrize(("asked", "issued"), [(JWT, JWT), (ACCESS_TOKEN, ACCESS_TOKEN), ("URN:ietf:params:oauth:token-type:jwt", JWT)])
async def test_a_requested_type_is_honoured(asked: str, issued: str) -> None:
    """TX-16, decision 12."""
    async with opened() as (running, forge):
        answered = await running.form(subject_token=forge.jwt(), resource=API, requested_token_type=asked)
    assert answered.json()["issued_token_type"] == issued


@pytest.mark.row("F-resource")
async def test_targets_come_by_two_names_and_several_need_a_policy_that_says_so() -> None:
    """TX-09, TX-11, decision 14."""
    pairs = (("resource", API), ("resource", "https://b.test"), ("audience", "https://c.test"), ("audience", API))
    async with opened() as (running, forge):
        assert claims(await running.form(*pairs, subject_token=forge.jwt()))["aud"] == ["https://c.test", API, "https://b.test"]
    async with opened(Scripted(Permit())) as (running, forge):
        refused = await running.form(*pairs, subject_token=forge.jwt())
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
        assert refused.json()["details"]["seen"] == ["https://c.test", API, "https://b.test"]
        assert claims(await running.form(subject_token=forge.jwt(), resource=API, audience=API))["aud"] == API


@pytest.mark.row("F-resource")
async def test_one_target_that_is_denied_denies_all_and_is_named() -> None:
    """TX-10, E12."""

    def not_b(question: Any) -> Any:
        return answer({"allow": True, "multi_audience": True, "targets": {t.id: {"allow": "b.test" not in t.id} for t in question.targets}})

    async with opened(Scripted(not_b)) as (running, forge):
        refused = await running.form(("resource", API), ("resource", "https://b.test"), subject_token=forge.jwt())
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    assert refused.json()["details"]["seen"] == ["https://b.test"]


@pytest.mark.row("F-scope")
async def test_a_narrowed_scope_shows_and_none_left_is_an_error() -> None:
    """TX-14, TX-15."""
    async with opened(Scripted(Permit(scope=frozenset("ab")))) as (running, forge):
        narrowed = await running.form(subject_token=forge.jwt(scope="a"), resource=API, scope="a b c")
        assert (narrowed.json()["scope"], claims(narrowed)["scope"]) == ("a", "a")
        none = await running.form(subject_token=forge.jwt(), resource=API, scope="c")
        assert (none.status_code, none.json()["error"]) == (400, "invalid_scope")


@pytest.mark.row("F-ttl")
async def test_a_lifetime_is_granted_within_every_cap() -> None:
    """Decision 15, TX-36."""
    resources = {"short": {"ttl": 60}}
    async with opened(Scripted(Permit(ttl=900)), ttl=200, max_ttl=1200, resources=resources) as (running, forge):
        for parameters, exp, lifetime in (
            ({}, 600, 200),
            ({"ttl_seconds": "500"}, 600, 500),
            ({"ttl_seconds": "500"}, 20, 20),
            ({"ttl_seconds": "1200"}, 5000, 900),
            ({"ttl_seconds": "500", "resource": "short"}, 600, 60),
        ):
            sent: dict[str, Any] = {"resource": API, **parameters}
            answered = await running.form(subject_token=forge.jwt(exp=int(forge.clock()) + exp), **sent)
            token = claims(answered)
            assert answered.json()["expires_in"] == token["exp"] - token["iat"] == lifetime
        above = await running.form(subject_token=forge.jwt(), resource=API, ttl_seconds="1201")
    assert (above.status_code, above.json()["reason"], above.json()["details"]["expected"]) == (400, "ttl_above_cap", 1200)
    assert above.json()["error_description"].startswith("the cap is 1200 seconds (ttl_above_cap, decision ")


async def test_a_denial_of_subject_or_client_is_access_denied() -> None:
    """Decision 10."""
    async with opened(Scripted(Deny(reasons=("private",)))) as (running, forge):
        denied = await running.form(subject_token=forge.jwt(), resource=API)
    assert (denied.status_code, denied.json()["error"], denied.json()["reason"]) == (400, "access_denied", "policy_denied")
    assert "private" not in denied.text


async def test_an_actor_needs_its_type_but_in_a_caracal_zone() -> None:
    """Decision 3: there it means `access_token`."""
    async with opened(zones={"old": {"compat": "caracal", "authenticates": [JWT]}}) as (running, forge):
        refused = await running.form(subject_token=forge.jwt(), resource=API, actor_token=forge.jwt())
        assert (refused.status_code, refused.json()["reason"]) == (400, "parameter_missing")
        taken = await running.form(subject_token=forge.jwt(), resource=API, actor_token=forge.jwt(), zone_id="old")
    asked = running.records[-1].trace.outcome("request")
    assert (taken.json()["reason"], taken.json()["details"]["role"]) == ("issuer_not_trusted", "actor")
    assert (asked.actor.token_type, asked.actor.wire_type) == (ACCESS_TOKEN, ACCESS_TOKEN)
