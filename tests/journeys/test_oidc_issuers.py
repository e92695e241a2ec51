"""ID tokens of real issuers through a served Cambist, in both dialects: Keycloak, and PyPI's oidc-provider-mock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from habits.keycloak import CLIENT, Keycloak
from habits.oidc import OidcProvider, OidcProviderMock
from habits.served import Served, address, served

from cambist.compact import Compact
from cambist.token_type import ID_TOKEN

pytestmark = pytest.mark.xdist_group("keycloak")  # it is started once
TARGET = "https://api.example.test"
STARFLY = "urn:starfly:token-type:oidc"
both = pytest.mark.parametrize("dialect", ["form", "json"])


def grants(*issuers: str) -> dict[str, Any]:
    every = {issuer: {"*": {TARGET: {"scopes": ["read"], "ttl": 240}}} for issuer in issuers}
    return {"cambist": {"zones": {"default": {"grants": every}}}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, keycloak: Keycloak, oidc_provider_mock: OidcProviderMock) -> Iterator[Served]:
    """A service that trusts both by discovery: Keycloak by its preset, the mock as what it is, with a nonce."""
    toml = f"""
[[plugins.oidc.issuers]]
issuer = "{keycloak.issuer}"
audience = ["{CLIENT}", "several"]
preset = "keycloak"
[[plugins.oidc.issuers]]
issuer = "{oidc_provider_mock.issuer}"
audience = ["cambist"]
nonce = "n"
"""
    folder, types = tmp_path_factory.mktemp("oidc"), (ID_TOKEN,)
    with served(folder, address(), toml, grants(keycloak.issuer, oidc_provider_mock.issuer), authenticates=types) as running:
        yield running


def ask(service: Served, dialect: str, token: str, token_type: str = ID_TOKEN) -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=token_type, audience=TARGET, scope="read")


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


@pytest.mark.row("T-oidc", real="keycloak")
@both
@pytest.mark.parametrize("token_type", [ID_TOKEN, STARFLY])
def test_an_id_token_of_keycloak_is_exchanged(service: Served, keycloak: Keycloak, dialect: str, token_type: str) -> None:
    token = keycloak.tokens()["id_token"]
    answer = ask(service, dialect, f"{token}\n", token_type)
    assert answer.status_code == 200, answer.text
    issued = Compact.parse(answer.json()["access_token"]).claims
    assert issued["sub"].rpartition("/")[2] == Compact.parse(token).claims["sub"]
    assert (issued["aud"], issued["scope"]) == (TARGET, "read")
    assert "has a new claim" not in (service.folder / "serve.log").read_text("utf-8"), "the preset knows what this Keycloak writes"


@pytest.mark.row("T-oidc", real="oidc_provider_mock")
@both
def test_an_id_token_of_the_mock_is_exchanged_with_its_nonce(service: Served, oidc_provider_mock: OidcProviderMock, dialect: str) -> None:
    assert ask(service, dialect, oidc_provider_mock.id_token("cambist")).status_code == 200


@both
def test_what_keycloak_issues_beside_it_is_refused_each_with_its_reason(service: Served, keycloak: Keycloak, dialect: str) -> None:
    tokens = keycloak.tokens()
    assert refused(ask(service, dialect, tokens["access_token"])) == (400, "token_kind_mismatch")
    assert refused(ask(service, dialect, tokens["refresh_token"]))[0] == 400
    assert refused(ask(service, dialect, keycloak.tokens("another")["id_token"])) == (400, "audience_mismatch")
    assert refused(ask(service, dialect, keycloak.tokens("several")["id_token"])) == (400, "audience_not_sole")
    head, body, signature = tokens["id_token"].split(".")
    altered = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert refused(ask(service, dialect, altered)) == (400, "signature_invalid")


@pytest.mark.row("T-oidc", real="oidc_provider")
@both
def test_an_access_token_of_npm_is_no_id_token_and_its_issuer_is_a_stranger(
    service: Served, oidc_provider: OidcProvider, dialect: str
) -> None:
    assert refused(ask(service, dialect, oidc_provider.token("https://sts.example"))) == (400, "issuer_not_trusted")
