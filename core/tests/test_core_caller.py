"""Who calls: applications by secret and assertion, subjects that authenticate themselves, and nobody by name alone."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from argon2 import PasswordHasher

from cambist.client_assertion import JWT_BEARER
from cambist.compact import Compact
from cambist.testing import ABSENT, ISSUER, Forge, MovableClock, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

API = "https://api.example.test"
SECRET = "s3cret: %&+"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET)
CI: dict[str, Any] = {"client_id": "ci", "client_secret": SECRET}


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{quote_plus(name)}:{quote_plus(secret)}'.encode()).decode()}"}


@asynccontextmanager
async def opened(application: Mapping[str, Any] | None = None, **settings: Any) -> AsyncIterator[tuple[Running, Forge, Forge]]:
    """A service with two applications: `ci` with a secret, `signer` with a key."""
    clock = MovableClock()
    issuer = Forge("https://issuer.example.test", ISSUER, clock)
    signer = Forge("signer", ISSUER, clock)
    applications = {
        "ci": {"secret_hash": HASH, **(application or {})},
        "signer": {"jwks": signer.jwks, "grants": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS], **(application or {})},
    }
    async with open_sts({"applications": applications, **settings}, modules={"trusting": Trusting(issuer)}, clock=clock) as running:
        yield running, issuer, signer


def assertion(signer: Forge, /, **changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"sub": "signer", "exp": int(signer.clock()) + 60}
    return {"client_assertion": signer.jwt(**(good | changes)), "client_assertion_type": JWT_BEARER}


def claims(answered: httpx.Response) -> dict[str, Any]:
    assert answered.status_code == 200, answered.text
    return dict(Compact.parse(answered.json()["access_token"]).claims)


@pytest.mark.row("F-application")
async def test_a_secret_proves_an_application_in_the_body_and_by_basic_in_both_dialects() -> None:
    """TE-08, TX-33: `client_id` of the token is who called."""
    async with opened() as (running, issuer, _):
        for ask in (running.form, running.json):
            for sent in (CI, {"application_id": "ci", "client_secret": SECRET}):
                assert claims(await ask(subject_token=issuer.jwt(), audience=API, **sent))["client_id"] == "ci"
            for name in ({}, {"client_id": "ci"}):
                answered = await ask(subject_token=issuer.jwt(), audience=API, headers=basic("ci", SECRET), **name)
                assert claims(answered)["client_id"] == "ci"


@pytest.mark.row("F-application")
async def test_an_unknown_application_and_a_wrong_secret_are_told_alike() -> None:
    """TE-14: no oracle."""
    async with opened() as (running, issuer, _):
        stranger = Forge("signer", ISSUER, issuer.clock)
        wrong: list[dict[str, Any]] = [
            {"client_id": "ci", "client_secret": "wrong"},
            {"client_id": "nobody", "client_secret": SECRET},
            {"client_id": "signer", "client_secret": SECRET},
            assertion(stranger),
            assertion(Forge("nobody", ISSUER, issuer.clock), sub="nobody"),
            assertion(Forge("ci", ISSUER, issuer.clock), sub="ci"),
        ]
        told = []
        for sent in wrong:
            answered = await running.form(subject_token=issuer.jwt(), audience=API, **sent)
            assert (answered.status_code, answered.headers["www-authenticate"]) == (401, 'Basic realm="cambist"')
            document = answered.json()
            said = document["error_description"].replace(document["decision_id"], "-")
            told.append({**document, "error_description": said, "decision_id": "-", "request_id": "-"})
            by_json = await running.json(subject_token=issuer.jwt(), audience=API, **sent)
            assert (by_json.status_code, by_json.json()["error"], by_json.json()["sts_error"]) == (403, "access_denied", "invalid_client")
        by_header = await running.json(subject_token=issuer.jwt(), audience=API, headers=basic("ci", "wrong"))
        assert (by_header.status_code, by_header.headers["www-authenticate"]) == (401, 'Basic realm="cambist"')
    assert told == [told[0]] * len(wrong)
    assert (told[0]["error"], told[0]["reason"]) == ("invalid_client", "client_authentication_failed")


@pytest.mark.row("F-assertion")
async def test_an_assertion_proves_an_application_once() -> None:
    """CA-06: the replay is 401 `invalid_client`, in the dialect's own words."""
    async with opened() as (running, issuer, signer):
        for ask, status, error in ((running.form, 401, "invalid_client"), (running.json, 403, "access_denied")):
            proof = assertion(signer)
            assert claims(await ask(subject_token=issuer.jwt(), audience=API, **proof))["client_id"] == "signer"
            again = await ask(subject_token=issuer.jwt(), audience=API, **proof)
            assert (again.status_code, again.json()["error"], again.json()["reason"]) == (status, error, "replayed")
            assert again.json()["details"]["role"] == "client"


@pytest.mark.row("F-assertion")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": f"{ISSUER}/"}, "audience_mismatch"),
        ({"aud": [ISSUER, "https://other.test"]}, "audience_mismatch"),
        ({"aud": f"{ISSUER}/oauth/2/token"}, "audience_mismatch"),
        ({"sub": "ci"}, "credential_malformed"),
        ({"jti": ABSENT}, "credential_malformed"),
        ({"exp": 1}, "credential_expired"),
        ({"exp": ABSENT}, "credential_malformed"),
        ({"client_id": "ci"}, "client_mismatch"),
    ],
)
async def test_an_assertion_with_anything_else_is_refused_as_the_client(changes: dict[str, Any], reason: str) -> None:
    """CA-02 to CA-08, decision 16, RFC 10070."""
    named = {"client_id": changes.pop("client_id")} if "client_id" in changes else {}
    async with opened() as (running, issuer, signer):
        refused = await running.form(subject_token=issuer.jwt(), audience=API, **assertion(signer, **changes), **named)
    assert (refused.status_code, refused.json()["error"], refused.json()["reason"]) == (401, "invalid_client", reason)


@pytest.mark.row("F-assertion")
async def test_the_token_endpoint_is_an_audience_only_for_an_application_that_says_so() -> None:
    """Decision 16."""
    url = f"{ISSUER}/oauth/2/token"
    async with opened({"assertion_audience": "token_endpoint"}) as (running, issuer, signer):
        assert claims(await running.form(subject_token=issuer.jwt(), audience=API, **assertion(signer, aud=[url])))["client_id"] == "signer"
        assert (await running.form(subject_token=issuer.jwt(), audience=API, **assertion(signer))).status_code == 401


async def test_nobody_calls_by_a_subject_token_alone_unless_its_type_authenticates() -> None:
    """Decision 5, TX-34, TE-11."""
    async with opened() as (running, issuer, _):
        names: list[dict[str, Any]] = [{}, {"client_id": "ci"}]
        for named in names:
            refused = await running.form(subject_token=issuer.jwt(), audience=API, **named)
            assert (refused.status_code, refused.json()["error"], refused.json()["reason"]) == (401, "invalid_client", "client_required")
            assert "www-authenticate" in refused.headers
            by_json = await running.json(subject_token=issuer.jwt(), audience=API, **named)
            assert (by_json.status_code, by_json.json()["error"]) == (403, "access_denied")
    async with opened(authenticates=[JWT]) as (running, issuer, _):
        token = claims(await running.form(subject_token=issuer.jwt(), audience=API))
        assert token["client_id"] == token["sub"]
        assert (await running.form(subject_token=issuer.jwt(), audience=API, client_id=token["sub"])).status_code == 200


async def test_a_client_id_names_who_was_proved_or_the_request_is_refused() -> None:
    """TE-16, TE-17."""
    async with opened(authenticates=[JWT]) as (running, issuer, _):
        for ask, status in ((running.form, 401), (running.json, 403)):
            for name in ("ci", "workload-1"):
                refused = await ask(subject_token=issuer.jwt(), audience=API, client_id=name)
                assert (refused.status_code, refused.json()["reason"]) == (status, "client_mismatch")
            other = await ask(subject_token=issuer.jwt(), audience=API, headers=basic("ci", SECRET), client_id="signer")
            assert (other.status_code, other.json()["reason"]) == (401, "client_mismatch")


@pytest.mark.parametrize("method", ["Bearer x", "Basic !", "Digest x"])
async def test_an_authorization_that_is_none_is_401_in_both(method: str) -> None:
    async with opened(authenticates=[JWT]) as (running, issuer, _):
        for ask in (running.form, running.json):
            refused = await ask(subject_token=issuer.jwt(), audience=API, headers={"authorization": method})
            assert (refused.status_code, refused.json()["reason"]) == (401, "client_authentication_failed")


async def test_an_application_uses_only_its_grants() -> None:
    """TE-15, TE-21."""
    async with opened() as (running, issuer, signer):
        refused = await running.form(grant_type=CLIENT_CREDENTIALS, audience=API, **CI)
        assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
        assert refused.json()["details"] == {
            "expected": [TOKEN_EXCHANGE],
            "seen": CLIENT_CREDENTIALS,
            "hint": "Add the grant type to the application's `grants`.",
        }
    async with opened({"grants": [CLIENT_CREDENTIALS]}) as (running, issuer, signer):
        by_json = await running.json(subject_token=issuer.jwt(), audience=API, **assertion(signer))
        assert (by_json.status_code, by_json.json()["sts_error"]) == (403, "unauthorized_client")


async def test_client_credentials_make_the_application_the_subject() -> None:
    """Decision 1; no `issued_token_type`; the assertion is spent."""
    async with opened() as (running, _, signer):
        proof = assertion(signer)
        answered = await running.form(grant_type=CLIENT_CREDENTIALS, resource=API, scope="a", **proof)
        token = claims(answered)
        assert set(answered.json()) == {"access_token", "token_type", "expires_in", "scope"}
        assert (token["sub"], token["client_id"]) == ("wimse://sts.example.test/application/signer", "signer")
        assert answered.json()["expires_in"] == 300
        again = await running.form(grant_type=CLIENT_CREDENTIALS, resource=API, **proof)
        assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
        for name in ("subject_token", "actor_token"):
            mixed: dict[str, Any] = {name: "x", f"{name}_type": JWT}
            refused = await running.form(grant_type=CLIENT_CREDENTIALS, resource=API, **assertion(signer), **mixed)
            assert (refused.status_code, refused.json()["details"]["seen"]) == (400, name)
        nobody = await running.form(grant_type=CLIENT_CREDENTIALS, resource=API)
        assert (nobody.status_code, nobody.json()["reason"]) == (401, "client_required")


@pytest.mark.parametrize("blank", [{}, {"subject_token": "", "subject_token_type": JWT}, {"subject_token": " \n"}])
async def test_without_a_subject_only_a_zone_with_bootstrap_mints_for_the_application(blank: dict[str, Any]) -> None:
    """Decision 1, TX-02."""
    sent = {"subject_token_type": "", "audience": API, **CI, **blank}
    async with opened() as (running, _, _):
        refused = await running.form(**sent)
        assert (refused.status_code, refused.json()["error"], refused.json()["reason"]) == (400, "invalid_request", "parameter_missing")
    async with opened(bootstrap=True) as (running, _, _):
        assert claims(await running.form(**sent))["sub"] == "wimse://sts.example.test/application/ci"
        unproved = await running.form(subject_token_type="", audience=API)
        assert (unproved.status_code, unproved.json()["reason"]) == (401, "client_required")
        by_json = await running.json(audience=API, **CI)
        assert (by_json.status_code, by_json.json()["reason"]) == (400, "parameter_missing")
        typed = await running.form(subject_token_type=JWT, audience=API, **CI)
        assert (typed.status_code, typed.json()["reason"]) == (400, "parameter_missing")


@pytest.mark.row("J-audience")
async def test_an_application_may_have_a_default_target() -> None:
    """Decision 8."""
    async with opened({"default_target": API}) as (running, issuer, _):
        for ask in (running.form, running.json):
            assert claims(await ask(subject_token=issuer.jwt(), **CI))["aud"] == API
    async with opened() as (running, issuer, _):
        missing = await running.form(subject_token=issuer.jwt(), **CI)
        assert (missing.status_code, missing.json()["error"]) == (400, "invalid_target")


async def test_a_subject_token_is_for_us_or_for_a_resource_of_the_caller() -> None:
    """Decision 6, TX-35."""
    resources = {"https://mcp.test": {"owner": "ci"}, "https://other.test": {"owner": "signer"}, "https://free.test": {}}
    async with opened(resources=resources, authenticates=[JWT]) as (running, issuer, _):
        for audience, proof, accepted in (
            (ISSUER, CI, True),
            (["https://mcp.test"], CI, True),
            (["https://x.test", "https://mcp.test"], CI, True),
            ("https://mcp.test", {}, False),
            ("https://other.test", CI, False),
            ("https://free.test", CI, False),
        ):
            answered = await running.form(subject_token=issuer.jwt(aud=audience), audience=API, **proof)
            assert (answered.status_code == 200) is accepted
            assert accepted or answered.json()["reason"] == "audience_mismatch"
