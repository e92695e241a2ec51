"""Access tokens of real issuers through a served Cambist, in both dialects: verified with their keys, or asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.keycloak import RESOURCE, RESOURCE_BY_KEY, SECRET, Keycloak
from habits.oidc import CLIENT as NPM_CLIENT
from habits.oidc import SECRET as NPM_SECRET
from habits.oidc import OidcProvider
from habits.served import Served, address, served

from cambist.compact import Compact
from cambist.token_type import ACCESS_TOKEN

pytestmark = pytest.mark.xdist_group("keycloak")  # it is started once
TARGET = "https://api.example.test"
PLAIN, OPAQUE = "https://resource.example.test/", "https://resource.example.test/?opaque"
both = pytest.mark.parametrize("dialect", ["form", "json"])


def toml(issuer: str, audience: str, **entry: str) -> str:
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
    return f'[[plugins.access-token.issuers]]\nissuer = "{issuer}"\naudience = ["{audience}"]\n{lines}'


def asked(url: str, client: str, cache: int = 0, **more: Any) -> str:
    members = {"url": url, "client_id": client, "cache": cache, **more}
    return "[plugins.access-token.issuers.introspection]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in members.items())


def serving(folder: Path, issuer: str, settings: str) -> Any:
    every = {"cambist": {"zones": {"default": {"grants": {issuer: {"*": {TARGET: {"scopes": ["read", "profile"], "ttl": 240}}}}}}}}
    return served(folder, address(), settings, every, authenticates=(ACCESS_TOKEN,))


def ask(service: Served, dialect: str, token: str, scope: str = "read") -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=ACCESS_TOKEN, audience=TARGET, scope=scope)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


@pytest.fixture(scope="module")
def by_keys(tmp_path_factory: pytest.TempPathFactory, keycloak: Keycloak) -> Iterator[Served]:
    """Keycloak's access tokens are older than RFC 9068: they say `JWT`."""
    settings = toml(keycloak.issuer, RESOURCE).replace("audience", 'types = ["JWT"]\naudience')
    with serving(tmp_path_factory.mktemp("by-keys"), keycloak.issuer, settings) as running:
        yield running


@pytest.fixture(scope="module")
def by_asking(tmp_path_factory: pytest.TempPathFactory, keycloak: Keycloak) -> Iterator[Served]:
    settings = toml(keycloak.issuer, RESOURCE) + asked(keycloak.introspection, RESOURCE, client_secret=SECRET)
    with serving(tmp_path_factory.mktemp("by-asking"), keycloak.issuer, settings) as running:
        yield running


@pytest.mark.row("T-access-token", real="keycloak")
@both
def test_an_access_token_of_keycloak_is_verified_and_exchanged(by_keys: Served, keycloak: Keycloak, dialect: str) -> None:
    for token in (keycloak.service_token(), keycloak.tokens()["access_token"]):
        answer = ask(by_keys, dialect, token, "profile")
        assert answer.status_code == 200, answer.text
        assert Compact.parse(answer.json()["access_token"]).claims["scope"] == "profile"
    assert refused(ask(by_keys, dialect, keycloak.tokens()["id_token"])) == (400, "token_kind_mismatch")
    assert refused(ask(by_keys, dialect, keycloak.service_token("another"))) == (400, "audience_mismatch")


@pytest.mark.row("T-access-token", real="keycloak")
@both
def test_an_access_token_of_keycloak_is_asked_about_and_dies_with_its_session(by_asking: Served, keycloak: Keycloak, dialect: str) -> None:
    tokens = keycloak.tokens()
    assert ask(by_asking, dialect, tokens["access_token"], "profile").status_code == 200
    keycloak.end(tokens)
    assert refused(ask(by_asking, dialect, tokens["access_token"], "profile")) == (400, "credential_inactive")
    assert refused(ask(by_asking, dialect, keycloak.service_token("another"))) == (400, "credential_inactive")
    assert refused(ask(by_asking, dialect, keycloak.tokens()["refresh_token"]))[0] == 400
    assert refused(ask(by_asking, dialect, "made.up.token")) == (400, "credential_inactive")


@pytest.mark.row("T-access-token", real="keycloak")
def test_keycloak_is_asked_by_a_client_that_proves_itself_by_a_key(tmp_path: Path, keycloak: Keycloak) -> None:
    settings = toml(keycloak.issuer, RESOURCE_BY_KEY) + asked(keycloak.introspection, RESOURCE_BY_KEY, client_key=keycloak.key)
    with serving(tmp_path, keycloak.issuer, settings) as service:
        answer = ask(service, "json", keycloak.service_token(), "profile")
        assert answer.status_code == 200, answer.text


def test_a_client_that_keycloak_does_not_know_is_our_fault_and_not_the_tokens(tmp_path: Path, keycloak: Keycloak) -> None:
    settings = toml(keycloak.issuer, RESOURCE) + asked(keycloak.introspection, RESOURCE, client_secret="wrong")
    with serving(tmp_path, keycloak.issuer, settings) as service:
        assert refused(ask(service, "form", keycloak.service_token())) == (503, "temporarily_unavailable")


@pytest.mark.row("T-access-token", real="oidc_provider")
@both
def test_an_at_jwt_of_npm_is_verified_without_a_word_about_its_type(tmp_path: Path, oidc_provider: OidcProvider, dialect: str) -> None:
    with serving(tmp_path, oidc_provider.issuer, toml(oidc_provider.issuer, PLAIN)) as service:
        assert ask(service, dialect, oidc_provider.token(PLAIN, "read")).status_code == 200
        assert refused(ask(service, dialect, oidc_provider.token(f"{PLAIN}other", "read"))) == (400, "audience_mismatch")
        assert refused(ask(service, dialect, oidc_provider.token(OPAQUE, "read"))) == (400, "credential_unclaimed")


@pytest.mark.row("T-access-token", real="oidc_provider")
@pytest.mark.parametrize("client", ["secret", "post", "key"])
@pytest.mark.parametrize("signed", [False, True])
def test_an_opaque_token_of_npm_is_asked_about(tmp_path: Path, oidc_provider: OidcProvider, client: str, signed: bool) -> None:
    proof: dict[str, dict[str, Any]] = {
        "secret": {"client": NPM_CLIENT, "client_secret": NPM_SECRET},
        "post": {"client": NPM_CLIENT, "client_secret": NPM_SECRET, "authentication": "post"},
        "key": {"client": "by-key", "client_key": oidc_provider.key},
    }
    how = asked(oidc_provider.introspection, signed=signed, **proof[client])
    with serving(tmp_path, oidc_provider.issuer, toml(oidc_provider.issuer, OPAQUE, subject="client_id") + how) as service:
        token = oidc_provider.token(OPAQUE, "read")
        answer = ask(service, "json", token)
        assert answer.status_code == 200, answer.text
        assert Compact.parse(answer.json()["access_token"]).claims["sub"].endswith(f"/subject/{NPM_CLIENT}")
        oidc_provider.revoke(token)
        assert refused(ask(service, "json", token)) == (400, "credential_inactive")
