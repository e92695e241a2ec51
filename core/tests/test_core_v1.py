"""`POST /v1/exchange/token` as its page has it: members, types, scope, audience, denials, and its seven codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher

from cambist import Deny, Permit
from cambist.answer import answer
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import ACCESS_TOKEN, ALIASES, JWT, PAGE
from cambist.zone import TOKEN_EXCHANGE

API = "https://api.target.example.com"
HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
ACTION = {"htm": "POST", "htu": f"{API}/orders", "nonce": "n-1", "payload_hash": HASH}
APPLICATION = {"secret_hash": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s3cret")}
WHO: dict[str, Any] = {"client_id": "ci", "client_secret": "s3cret"}


@asynccontextmanager
async def opened(policy: Scripted | None = None, **settings: Any) -> AsyncIterator[tuple[Running, Forge]]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules: dict[str, Any] = {"trusting": Trusting(forge), **({"scripted": policy} if policy else {})}
    async with open_sts({"authenticates": [JWT], "applications": {"ci": APPLICATION}, **settings}, modules=modules, clock=clock) as running:
        yield running, forge


def claims(answered: Any) -> dict[str, Any]:
    assert answered.status_code == 200, answered.text
    return dict(Compact.parse(answered.json()["access_token"]).claims)


@pytest.mark.row("J-exchange")
async def test_the_answer_has_exactly_the_members_of_the_page() -> None:
    """SF-05, TX-17 to TX-20."""
    async with opened() as (running, forge):
        answered = await running.json(subject_token=forge.jwt(), audience=API, scope="read:data")
    document = answered.json()
    token = claims(answered)
    assert {**document, "access_token": ""} == {
        "access_token": "",
        "issued_token_type": JWT,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "read:data",
    }
    assert (token["aud"], token["scope"], token["exp"] - token["iat"]) == (API, "read:data", 300)
    assert token["td"] == "sts.example.test"
    assert answered.headers["content-type"] == "application/json"
    assert (answered.headers["cache-control"], answered.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.row("J-types")
@pytest.mark.parametrize("name", PAGE)
async def test_every_type_of_the_page_is_accepted_by_name(name: str) -> None:
    """Decision 9: a type whose plugin is not enabled is `not_implemented`; those that are, judge the token."""
    async with opened() as (running, _):
        answered = await running.json(subject_token="opaque", subject_token_type=name, audience=API, **WHO)
        unproved = await running.json(subject_token="opaque", subject_token_type=name, audience=API)
    document = answered.json()
    if name in (JWT, ACCESS_TOKEN):
        assert (answered.status_code, document["reason"]) == (400, "credential_unclaimed")
        assert unproved.json()["reason"] == ("credential_unclaimed" if name == JWT else "client_required")
    else:
        assert answered.status_code == unproved.status_code == 501
        assert (document["error"], document["reason"]) == ("not_implemented", "token_type_not_enabled")
        assert (document["details"]["seen"], unproved.json()["error"]) == (ALIASES.get(name, name), "not_implemented")


@pytest.mark.row("J-types")
@pytest.mark.parametrize("name", ["jwt", "urn:x:y", JWT.upper(), f"{JWT} ", "urn:ietf:params:oauth:token-type:JWT"])
async def test_an_unknown_type_is_refused_with_the_list(name: str) -> None:
    async with opened() as (running, _):
        for who in (WHO, {}):
            answered = await running.json(subject_token="opaque", subject_token_type=name, audience=API, **who)
            document = answered.json()
            assert (answered.status_code, document["error"], document["reason"]) == (400, "invalid_request", "token_type_unknown")
            assert set(PAGE) <= set(document["details"]["expected"])


async def test_a_registered_type_that_the_page_does_not_promise_is_a_plain_refusal() -> None:
    """TX-21."""
    async with opened() as (running, _):
        name = "urn:ietf:params:oauth:token-type:refresh_token"
        answered = await running.json(subject_token="opaque", subject_token_type=name, audience=API)
        assert (answered.status_code, answered.json()["error"]) == (400, "invalid_request")


@pytest.mark.row("J-scope")
async def test_scope_is_what_was_asked_allowed_and_proven() -> None:
    resources = {API: {"scopes": ["a", "b", "c", "e"]}}
    async with opened(Scripted(Permit(scope=frozenset("bcd"))), resources=resources) as (running, forge):
        partly = await running.json(subject_token=forge.jwt(scope="a c b"), audience=API, scope="e d c b a")
        assert (partly.json()["scope"], claims(partly)["scope"]) == ("c b", "c b")
        none = await running.json(subject_token=forge.jwt(scope="a"), audience=API, scope="b")
        assert (none.status_code, none.json()["error"], none.json()["sts_error"]) == (403, "access_denied", "invalid_scope")
        unasked = await running.json(subject_token=forge.jwt(scope="b"), audience=API)
        assert "scope" not in unasked.json()
        assert "scope" not in claims(unasked)


@pytest.mark.row("J-audience")
async def test_an_audience_is_required_and_declared_or_a_uri() -> None:
    """Decisions 8 and 14, SF-03."""
    async with opened(resources={"prod.example": {}}) as (running, forge):
        assert claims(await running.json(subject_token=forge.jwt(), audience="prod.example"))["aud"] == "prod.example"
        assert (
            claims(await running.json(subject_token=forge.jwt(), audience=["spiffe://prod.example/x"]))["aud"] == "spiffe://prod.example/x"
        )
        nothing: tuple[object, ...] = (None, "", [])
        for audience in nothing:
            missing = await running.json(subject_token=forge.jwt(), audience=audience)
            assert (missing.status_code, missing.json()["error"], missing.json()["reason"]) == (400, "invalid_request", "target_missing")
        unfit: tuple[object, ...] = ("other.example", "/x", 5, {"a": 1}, [["x"]], f"{API}\n")
        for audience in unfit:
            wrong = await running.json(subject_token=forge.jwt(), audience=audience)
            assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_request")


@pytest.mark.row("J-audience")
async def test_an_audience_that_policy_has_not_allowed_is_never_granted() -> None:
    def only_api(question: Any) -> Any:
        denied = {t.id: {"allow": t.id == API} for t in question.targets}
        return answer({"allow": True, "targets": denied, "multi_audience": True})

    async with opened(Scripted(only_api)) as (running, forge):
        assert claims(await running.json(subject_token=forge.jwt(), audience=API))["aud"] == API
        for audience in ("https://other.test", [API, "https://other.test"]):
            denied = await running.json(subject_token=forge.jwt(), audience=audience)
            assert (denied.status_code, denied.json()["error"], denied.json()["sts_error"]) == (403, "access_denied", "invalid_target")
            assert denied.json()["details"]["seen"] == ["https://other.test"]


@pytest.mark.row("J-policy")
async def test_a_denial_says_the_reason_that_is_public() -> None:
    async with opened(Scripted(Deny(reasons=("x", "insufficient blast radius"), said=("insufficient blast radius",)))) as (running, forge):
        denied = await running.json(subject_token=forge.jwt(), audience=API)
    document = denied.json()
    assert (denied.status_code, document["error"]) == (403, "access_denied")
    assert document["error_description"] == "policy denied: insufficient blast radius"
    assert '"x"' not in denied.text


async def test_an_execution_scope_makes_a_token_of_30_seconds_and_its_nonce_is_taken_once() -> None:
    """Decision 13, SF-11, SF-12."""
    async with opened() as (running, forge):
        answered = await running.json(subject_token=forge.jwt(), audience=API, execution_scope=ACTION)
        assert (answered.json()["expires_in"], claims(answered)["exec"]) == (30, ACTION)
        again = await running.json(subject_token=forge.jwt(), audience=API, execution_scope=ACTION)
        assert (again.status_code, again.json()["error"], again.json()["reason"]) == (400, "invalid_request", "replayed")
        elsewhere = await running.json(subject_token=forge.jwt(), audience="https://other.test", execution_scope=ACTION)
        somebody = await running.json(subject_token=forge.jwt(sub="b"), audience=API, execution_scope=ACTION)
        assert elsewhere.status_code == somebody.status_code == 200


@pytest.mark.row("J-errors")
@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": TOKEN_EXCHANGE.upper()}, "unsupported_grant_type"),
        ({"grant_type": f"{TOKEN_EXCHANGE} "}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": 5}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": 5}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"requested_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"execution_scope": {}}, "invalid_request"),
        ({"execution_scope": "POST"}, "invalid_request"),
        ({"zone_id": "nowhere"}, "invalid_request"),
        ({"ttl_seconds": 3601}, "invalid_request"),
    ],
)
async def test_a_request_that_cannot_be_read_is_told_by_the_pages_codes(members: dict[str, Any], error: str) -> None:
    async with opened() as (running, forge):
        refused = await running.json(**{"subject_token": forge.jwt(), "audience": API, **members})
    assert (refused.status_code, refused.json()["error"]) == (400, error)


async def test_the_page_says_how_a_wrong_grant_is_described() -> None:
    async with opened() as (running, _):
        refused = await running.json(grant_type="password")
    assert refused.json()["error_description"] == f"grant_type must be {TOKEN_EXCHANGE}"


async def test_a_jwt_may_be_asked_for_by_name() -> None:
    async with opened() as (running, forge):
        assert (await running.json(subject_token=forge.jwt(), audience=API, requested_token_type=JWT)).status_code == 200
