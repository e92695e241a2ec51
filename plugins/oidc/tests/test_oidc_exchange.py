"""ID tokens through the whole service, in both dialects: the good one, and each that is nearly good with a reason of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cambist.compact import Compact
from cambist.testing import ABSENT, AccessTokenForge, AllowAll, DeafHttp, IdTokenForge, MovableClock, Running, open_sts
from cambist.token_type import ACCESS_TOKEN, ID_TOKEN, JWT
from cambist.wire.codes import TABLE

ISSUER, CLIENT, API = "https://login.example", "cambist-client", "https://api.example"
STARFLY = "urn:starfly:token-type:oidc"
CLOCK = MovableClock()
FORGE = IdTokenForge(ISSUER, CLIENT, CLOCK)
NOON = int(CLOCK())
both = pytest.mark.parametrize("dialect", ["form", "json"])


@asynccontextmanager
async def service(policy: AllowAll | None = None, plugins: dict[str, Any] | None = None, **entry: Any) -> AsyncIterator[Running]:
    """A service that trusts the issuer's ID tokens, and takes them as proof of the caller too."""
    table = {"issuers": [{"issuer": ISSUER, "audience": [CLIENT], "jwks": FORGE.jwks, **entry}]}
    settings = {"authenticates": sorted(zone_types(plugins or {})), "plugins": {"oidc": table, **(plugins or {})}}
    async with open_sts(settings, modules={"scripted": policy or AllowAll()}, clock=CLOCK, transport=DeafHttp()) as sts:
        yield sts


def zone_types(plugins: dict[str, Any]) -> set[str]:
    """The types that are enabled beside `oidc`, each of which proves the caller here."""
    return {ID_TOKEN, *({"access-token": ACCESS_TOKEN, "jwt": JWT}[name] for name in plugins)}


async def ask(sts: Running, token: str, dialect: str, token_type: str = ID_TOKEN) -> httpx.Response:
    sent: dict[str, Any] = {"subject_token": token, "subject_token_type": token_type, "audience": API}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


@pytest.mark.row("T-oidc")
@both
@pytest.mark.parametrize("token_type", [ID_TOKEN, STARFLY])
async def test_an_id_token_is_exchanged_under_both_of_its_names(dialect: str, token_type: str) -> None:
    policy = AllowAll()
    async with service(policy) as sts:
        answer = await ask(sts, FORGE.jwt(sub="alice", email="alice@example"), dialect, token_type)
    assert answer.status_code == 200, answer.text
    claims = Compact.parse(answer.json()["access_token"]).claims
    assert claims["sub"].endswith("/subject/alice")
    assert "email" not in claims
    assert policy.asked[0].subject.identity.attributes["email"] == "alice@example"


SIBLINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "another client's": ("audience_mismatch", FORGE.jwt(aud="another", azp="another"), {}),
    "issued to another client": ("authorized_party_mismatch", FORGE.jwt(azp="another"), {}),
    "with azp of another kind": ("credential_malformed", FORGE.jwt(azp=["another"]), {}),
    "for two": ("audience_not_sole", FORGE.jwt(aud=[CLIENT, "another"]), {}),
    "for two, without azp": ("authorized_party_mismatch", FORGE.jwt(aud=[CLIENT, "another"], azp=ABSENT), {"several_audiences": True}),
    "for two, issued to the other": ("authorized_party_mismatch", FORGE.jwt(aud=[CLIENT, "b"], azp="b"), {"several_audiences": True}),
    "an access token by typ": ("token_kind_mismatch", FORGE.jwt({"typ": "at+jwt"}), {}),
    "an access token by scope": ("token_kind_mismatch", FORGE.jwt(scope="openid"), {}),
    "Okta's access token": ("token_kind_mismatch", FORGE.jwt({"typ": ABSENT}, scp=["openid"], cid="x"), {}),
    "Keycloak's access token": ("token_kind_mismatch", FORGE.jwt(typ="Bearer"), {}),
    "Keycloak's refresh token": ("token_kind_mismatch", FORGE.jwt(typ="Refresh"), {}),
    "Cognito's access token": ("token_kind_mismatch", FORGE.jwt(token_use="access"), {}),
    "a logout token": ("token_kind_mismatch", FORGE.jwt(events={"logout": {}}), {}),
    "expired by a second": ("credential_expired", FORGE.jwt(exp=NOON - 1, iat=NOON - 600), {}),
    "of the issuer with a slash": ("issuer_not_trusted", FORGE.jwt(iss=f"{ISSUER}/"), {}),
    "with another nonce": ("nonce_mismatch", FORGE.jwt(nonce="m"), {"nonce": "n"}),
    "without a nonce": ("nonce_mismatch", FORGE.jwt(), {"nonce": "n"}),
    "with a nonce that is a number": ("credential_malformed", FORGE.jwt(nonce=5), {"nonce": "5"}),
    "without iat": ("credential_malformed", FORGE.jwt(iat=ABSENT), {}),
    "of another repository": ("claim_not_accepted", FORGE.jwt(repository_id="75"), {"only": {"repository_id": ["74"]}}),
    "of no repository": ("claim_missing", FORGE.jwt(), {"only": {"repository_id": ["74"]}}),
    "with a chain of actors": ("credential_rejected", FORGE.jwt(act={"sub": "x"}), {}),
}


@both
@pytest.mark.parametrize("sibling", SIBLINGS)
async def test_one_that_is_nearly_good_is_refused_with_its_own_reason_and_a_hint(dialect: str, sibling: str) -> None:
    reason, token, entry = SIBLINGS[sibling]
    async with service(**entry) as sts:
        answer = await ask(sts, token, dialect)
        [record] = sts.records
    told = answer.json()
    assert (answer.status_code, told["error"], told["reason"]) == (400, "invalid_request", reason)
    [kind] = {kind for kind in TABLE if kind.reason == reason}
    assert kind.hint
    assert record.outcome == reason
    assert token.rpartition(".")[2] not in answer.text


@both
@pytest.mark.parametrize(
    ("token", "entry"),
    [
        (FORGE.jwt(aud=[CLIENT], azp=ABSENT), {}),
        (FORGE.jwt(aud=[CLIENT, CLIENT]), {}),
        (FORGE.jwt(azp="front-end"), {"parties": ["front-end"]}),
        (FORGE.jwt(aud=[CLIENT, "another"], azp=CLIENT), {"several_audiences": True}),
        (FORGE.jwt(nonce="n"), {"nonce": "n"}),
        (FORGE.jwt(nonce="whatever"), {}),
        (FORGE.jwt({"typ": ABSENT}), {}),
        (FORGE.jwt({"typ": "application/JWT"}), {}),
        (FORGE.jwt(typ="ID", at_hash="h"), {}),
        (FORGE.jwt(repository_id=74), {"only": {"repository_id": ["74", "75"]}}),
    ],
)
async def test_what_the_settings_let_in_is_exchanged(dialect: str, token: str, entry: dict[str, Any]) -> None:
    async with service(**entry) as sts:
        answer = await ask(sts, token, dialect)
    assert answer.status_code == 200, answer.text


@both
async def test_a_mismatch_shows_what_was_expected_and_what_was_seen(dialect: str) -> None:
    async with service(only={"repository_id": ["74"]}) as sts:
        collided = (await ask(sts, FORGE.jwt(repository="acme/app", repository_id="75"), dialect)).json()["details"]
        other = (await ask(sts, FORGE.jwt(azp="another", repository_id="74"), dialect)).json()["details"]
    assert (collided["expected"], collided["seen"]) == (["74"], "75")
    assert (other["expected"], other["seen"]) == ([CLIENT], "another")


@both
async def test_one_issuer_has_its_id_tokens_judged_here_and_its_access_tokens_there(dialect: str) -> None:
    """By type and issuer each token has one taker: none passes for another kind, wherever it is sent."""
    access = AccessTokenForge(ISSUER, API, CLOCK)
    access.key, access.kid = FORGE.key, FORGE.kid
    tables: dict[str, Any] = {
        "access-token": {"issuers": [{"issuer": ISSUER, "audience": [API], "jwks": FORGE.jwks}]},
        "jwt": {"issuers": [{"issuer": ISSUER, "audience": [CLIENT], "jwks": FORGE.jwks, "types": ["JWT"]}]},
    }
    async with service(plugins=tables) as sts:
        assert (await ask(sts, FORGE.jwt(), dialect)).status_code == 200
        for token, token_type in ((access.jwt(), ID_TOKEN), (FORGE.jwt(), ACCESS_TOKEN), (access.jwt(), JWT)):
            assert (await ask(sts, token, dialect, token_type)).json()["reason"] == "token_kind_mismatch"
