"""caracalai-oauth 1.0.0 cannot be had from the indexes of our machines. So what it sends was written down where it ran, and is sent here
field by field, in its order, and the answer is judged as it judges. That proves the wire, and not the client: no row of it is claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from cambist.client_secret import hash_secret
from cambist.testing import IdTokenForge, MovableClock, Running, open_sts

ISSUER, API, OTHER = "https://login.example.test", "https://api.example.test", "https://files.example.test"
SECRET = "perf-secret"
HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "user-agent": "python-httpx/0.28.1",
    "content-type": "application/x-www-form-urlencoded",
}
GRANT = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
ID_TOKEN = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token"


@pytest.fixture
async def running() -> AsyncIterator[tuple[Running, IdTokenForge]]:
    clock = MovableClock()
    login = IdTokenForge(ISSUER, "shop", clock)
    settings = {
        "compat": "caracal",
        "bootstrap": True,
        "applications": {"shop": {"secret_hash": hash_secret(SECRET)}},
        "plugins": {"oidc": {"issuers": [{"issuer": ISSUER, "jwks": login.jwks, "audience": ["shop"]}]}},
    }
    async with open_sts(settings, clock=clock) as opened:
        yield opened, login


async def sent(running: Running, body: str) -> httpx.Response:
    return await running.http.post("/oauth/2/token", content=body.encode("ascii"), headers=HEADERS)


def taken(answer: httpx.Response) -> Mapping[str, Any]:
    """What the client accepts, by its own rules."""
    assert answer.is_success, answer.text
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    document: dict[str, Any] = answer.json()
    assert isinstance(document["access_token"], str)
    assert document["access_token"]
    assert document.get("token_type", "Bearer") == "Bearer"
    assert type(document["expires_in"]) is int
    assert document["expires_in"] > 0
    assert all(isinstance(name, str) for name in document.get("target_resources", []))
    return document


@pytest.mark.row("F-application")
@pytest.mark.row("F-ttl")
async def test_a_users_token_is_exchanged_as_caracals_client_sends_it(running: tuple[Running, IdTokenForge]) -> None:
    service, login = running
    body = (
        f"{GRANT}&resource={quote(API, '')}&zone_id=default&application_id=shop"
        f"&subject_token={login.jwt()}&subject_token_type={ID_TOKEN}&client_secret={SECRET}&scope=read+write&ttl_seconds=60"
    )
    document = taken(await sent(service, body))
    assert (document["expires_in"], document["scope"]) == (60, "read write")


@pytest.mark.row("F-application")
async def test_an_application_without_a_user_gets_a_token_as_caracals_client_asks_for_it(running: tuple[Running, IdTokenForge]) -> None:
    """Decision 1: the zone says `bootstrap`."""
    service, _ = running
    taken(await sent(service, f"{GRANT}&resource={quote(API, '')}&zone_id=default&application_id=shop&client_secret={SECRET}"))


async def test_what_caracals_client_names_and_is_not_here_yet_is_refused_by_name(running: tuple[Running, IdTokenForge]) -> None:
    """It maps `error` to a class of its own, and shows the description; an approval it would follow has no `approval_type` here."""
    service, _ = running
    for name in ("session_id", "agent_session_id", "delegation_edge_id", "approval_id"):
        body = f"{GRANT}&resource={quote(API, '')}&zone_id=default&application_id=shop&client_secret={SECRET}&{name}=x"
        refused = await sent(service, body)
        document = refused.json()
        assert (refused.status_code, document["error"], document["reason"]) == (400, "invalid_request", "parameter_unsupported")
        assert name in document["error_description"]
        assert "approval_type" not in document


async def test_caracals_client_is_told_that_its_secret_is_wrong(running: tuple[Running, IdTokenForge]) -> None:
    service, _ = running
    refused = await sent(service, f"{GRANT}&resource={quote(API, '')}&zone_id=default&application_id=shop&client_secret=another")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert not any(part in refused.text for part in (SECRET, "another"))
