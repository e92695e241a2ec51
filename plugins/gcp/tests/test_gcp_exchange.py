"""Tokens of service accounts through the whole service, in both dialects: good ones, and each nearly good one with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cambist.compact import Compact
from cambist.testing import ABSENT, AllowAll, GoogleForge, MovableClock, Running, ScriptedHttp, open_sts
from cambist.wire.codes import TABLE
from cambist_gcp.validator import GCP_IDENTITY

OURS, API = "https://sts.example", "https://api.example"
STARFLY = "urn:starfly:token-type:gcp-wif"
CLOCK = MovableClock()
GOOGLE, OWN_KEY = GoogleForge(OURS, CLOCK), GoogleForge(OURS, CLOCK, kid="own-1")
NOON = int(CLOCK())
KEYS = {
    "https://www.googleapis.com/oauth2/v3/certs": GOOGLE.jwks,
    f"https://www.googleapis.com/service_accounts/v1/jwk/{GOOGLE.email}": OWN_KEY.jwks,
}
BOTH_KINDS = {"projects": ["acme-prod"], "self_signed": [{"email": GOOGLE.email, "id": GOOGLE.account}]}
LISTED = {"accounts": [GOOGLE.account]}
both = pytest.mark.parametrize("dialect", ["form", "json"])


@asynccontextmanager
async def service(policy: AllowAll | None = None, **table: Any) -> AsyncIterator[Running]:
    settings = {"authenticates": [GCP_IDENTITY], "plugins": {"gcp": {"audience": [OURS], **(table or BOTH_KINDS)}}}
    async with open_sts(settings, modules={"scripted": policy or AllowAll()}, clock=CLOCK, transport=ScriptedHttp(KEYS)) as sts:
        yield sts


async def ask(sts: Running, token: str, dialect: str, token_type: str = STARFLY) -> httpx.Response:
    sent: dict[str, Any] = {"subject_token": token, "subject_token_type": token_type, "audience": API}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


@pytest.mark.row("T-gcp")
@both
@pytest.mark.parametrize("token_type", [GCP_IDENTITY, STARFLY])
async def test_the_numeric_id_is_the_identity_and_the_machine_is_told_to_the_policy(dialect: str, token_type: str) -> None:
    policy = AllowAll()
    async with service(policy) as sts:
        answer = await ask(sts, f"{GOOGLE.jwt()}\n", dialect, token_type)
    assert answer.status_code == 200, answer.text
    assert Compact.parse(answer.json()["access_token"]).claims["sub"].endswith(f"/subject/{GOOGLE.account}")
    facts = policy.asked[0].subject.identity.attributes
    assert (facts["project_id"], facts["instance_id"], facts["zone"]) == ("acme-prod", "4520031799277581759", "europe-west3-a")
    assert (facts["instance_created"], facts["account_project"], facts["self_signed"]) == (1_767_225_600, "acme-prod", False)


@pytest.mark.row("T-gcp")
@both
async def test_what_an_account_signs_itself_is_about_the_same_identity_and_tells_nothing_else(dialect: str) -> None:
    policy = AllowAll()
    async with service(policy) as sts:
        answer = await ask(sts, OWN_KEY.self_signed(google=GOOGLE.machine(), project_id="acme-prod", self_signed=False), dialect)
    assert answer.status_code == 200, answer.text
    who = policy.asked[0].subject.identity
    assert (who.issuer, who.subject) == ("https://accounts.google.com", GOOGLE.account)
    assert dict(who.attributes) == {"email": GOOGLE.email, "account_project": "acme-prod", "self_signed": True}


@both
@pytest.mark.parametrize(
    ("token", "table"),
    [
        (GOOGLE.standard(), LISTED),
        (GOOGLE.jwt(google=GOOGLE.machine(project_id="stranger-1", project_number=1)), LISTED),
        (GOOGLE.jwt(google=ABSENT), {}),
        (GOOGLE.jwt(google={}), {}),
        (GOOGLE.jwt(azp=GOOGLE.email), {}),
        (GOOGLE.jwt(email="65065065065-compute@developer.gserviceaccount.com"), {"projects": ["65065065065"]}),
        (GOOGLE.jwt(email="acme-prod@appspot.gserviceaccount.com"), {}),
        (
            GOOGLE.jwt(email="robot@shop.example.com.iam.gserviceaccount.com", google=GOOGLE.machine(project_id="example.com:shop")),
            {"projects": ["example.com:shop"]},
        ),
    ],
)
async def test_what_the_settings_let_in_is_exchanged(dialect: str, token: str, table: dict[str, Any]) -> None:
    async with service(**table) as sts:
        answer = await ask(sts, token, dialect)
    assert answer.status_code == 200, answer.text


STRANGERS = GOOGLE.machine(project_id="stranger-1", project_number=1)
SIBLINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a person's": ("user_token", GOOGLE.person(), {}),
    "a person's, whose address is hidden": ("user_token", GOOGLE.person(email=ABSENT), {}),
    "a person's, whose address is hidden, and whose id is listed": ("user_token", GOOGLE.person(sub=GOOGLE.account, email=ABSENT), LISTED),
    "of a domain like Google's": ("user_token", GOOGLE.jwt(email="robot@acme-prod.iam.gserviceaccount.com.example.net"), {}),
    "an access token": ("platform_token", "ya29.a0AfB_byC-x", {}),
    "an access token that looks like a JWT": ("platform_token", "ya29.c.c0AYnqXlhB7f-pVq5mCw", {}),
    "opaque": ("credential_malformed", "opaque", {}),
    "with the default audience": ("audience_mismatch", GOOGLE.jwt(aud="32555940559.apps.googleusercontent.com"), {}),
    "for two": ("audience_not_sole", GOOGLE.jwt(aud=[OURS, "https://b.example"]), {}),
    "of another project": ("claim_not_accepted", GOOGLE.jwt(email="robot@stranger-1.iam.gserviceaccount.com"), {}),
    "on another project's machine": ("claim_not_accepted", GOOGLE.jwt(google=STRANGERS), {}),
    "of an account made anew": ("claim_not_accepted", GOOGLE.jwt(sub="998877", azp="998877"), LISTED),
    "with an address not verified": ("claim_not_accepted", GOOGLE.jwt(email_verified=False), {}),
    "whose format tells no project": ("claim_not_accepted", GOOGLE.standard(), {}),
    "whose sub is no number": ("credential_malformed", GOOGLE.jwt(sub="robot", azp="robot"), {}),
    "of the bare issuer": ("issuer_not_trusted", GOOGLE.jwt(iss="accounts.google.com"), {}),
    "of the issuer with a slash": ("issuer_not_trusted", GOOGLE.jwt(iss="https://accounts.google.com/"), {}),
    "expired by a second": ("credential_expired", GOOGLE.jwt(exp=NOON - 1, iat=NOON - 600), {}),
    "signed by the account in Google's name": ("key_unknown", OWN_KEY.jwt(), {}),
    "signed by Google in the account's name": ("key_unknown", GOOGLE.self_signed(), {}),
    "self-signed by a stranger": ("issuer_not_trusted", OWN_KEY.self_signed(iss="x@b.iam.gserviceaccount.com"), {}),
    "self-signed about another": ("claim_not_accepted", OWN_KEY.self_signed(sub="x@acme-prod.iam.gserviceaccount.com"), {}),
    "self-signed to log in to Google": ("audience_mismatch", OWN_KEY.self_signed(aud="https://oauth2.googleapis.com/token"), {}),
    "self-signed for a day": ("credential_rejected", OWN_KEY.self_signed(exp=NOON + 86_400), {}),
    "self-signed with a chain of actors": ("credential_rejected", OWN_KEY.self_signed(act={"sub": "x"}), {}),
}


@both
@pytest.mark.parametrize("sibling", SIBLINGS)
async def test_one_that_is_nearly_good_is_refused_with_its_own_reason_and_a_hint(dialect: str, sibling: str) -> None:
    reason, token, table = SIBLINGS[sibling]
    async with service(**table) as sts:
        answer = await ask(sts, token, dialect)
        [record] = sts.records
    told = answer.json()
    assert (answer.status_code, told["error"], told["reason"]) == (400, "invalid_request", reason), answer.text
    assert record.outcome == reason
    [kind] = {kind for kind in TABLE if kind.reason == reason}
    assert kind.hint
    assert token.rpartition(".")[2] not in answer.text


async def test_keys_of_an_account_that_is_not_listed_are_never_asked_for() -> None:
    """The address stands in a token that nobody has verified: it must not lead us anywhere."""
    http = ScriptedHttp(KEYS)
    settings = {"authenticates": [GCP_IDENTITY], "plugins": {"gcp": {"audience": [OURS], **BOTH_KINDS}}}
    async with open_sts(settings, clock=CLOCK, transport=http) as sts:
        await ask(sts, OWN_KEY.self_signed(iss="x@b.iam.gserviceaccount.com", sub="x@b.iam.gserviceaccount.com"), "json")
    assert http.asked == []
