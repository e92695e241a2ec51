"""Clients of Python, unmodified: each gets a token, uses it at an API behind `cambist.verify`, and shows its user our refusal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cambist.errors import CallerUnproved

from .known import KNOWN
from .program import Program, facts, python, told
from .stage import ROBOT, WORKLOAD, Stage, stage

pytestmark = pytest.mark.xdist_group("clients-python")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("clients")) as set_up:
        yield set_up


@pytest.fixture
def google_auth(served: Stage) -> Program:
    return python("google_auth_file.py", served, "REQUESTS_CA_BUNDLE")


@pytest.fixture
def authlib(served: Stage) -> Program:
    return python("authlib_exchange.py", served, "REQUESTS_CA_BUNDLE")


@pytest.fixture
def requests_oauthlib(served: Stage) -> Program:
    return python("requests_oauthlib_exchange.py", served, "REQUESTS_CA_BUNDLE")


@pytest.fixture
def mcp(served: Stage) -> Program:
    return python("mcp_private_key.py", served, "SSL_CERT_FILE")


@pytest.fixture
def msal(served: Stage) -> Program:
    return python("msal_daemon.py", served, "REQUESTS_CA_BUNDLE")


@pytest.fixture
def openai(served: Stage) -> Program:
    return python("openai_workload.py", served, "SSL_CERT_FILE")


@pytest.mark.row("C-google-auth", real="google_auth")
@pytest.mark.row("F-exchange", real="google_auth")
def test_google_auth_is_told_of_us_by_a_file(served: Stage, google_auth: Program) -> None:
    assert google_auth.runs(served).seen == {"subject": WORKLOAD, "client": WORKLOAD, "scope": ["read"], "actors": []}


@pytest.mark.row("C-google-auth", real="google_auth")
def test_google_auth_shows_our_refusal(served: Stage, google_auth: Program) -> None:
    assert told(google_auth, served) == KNOWN["google_auth"].shows


@pytest.mark.row("C-google-auth", real="google_auth")
@pytest.mark.row("F-exchange", real="google_auth")
def test_googles_own_sts_client_exchanges_here(served: Stage, google_auth: Program) -> None:
    client = python("google_sts_client.py", served, "REQUESTS_CA_BUNDLE")
    assert client.runs(served).seen == {"subject": WORKLOAD, "client": WORKLOAD, "scope": ["read"], "actors": []}
    assert told(client, served) == KNOWN["google_sts"].shows


@pytest.mark.row("C-authlib", real="authlib")
@pytest.mark.row("F-exchange", real="authlib")
@pytest.mark.row("F-application", real="authlib")
def test_authlib_exchanges_for_an_application_with_a_secret(served: Stage, authlib: Program) -> None:
    assert authlib.runs(served).seen == {"subject": WORKLOAD, "client": "shop", "scope": ["read"], "actors": []}


@pytest.mark.row("C-authlib", real="authlib")
@pytest.mark.row("F-application", real="authlib")
def test_authlib_shows_our_refusal_also_of_a_wrong_secret(served: Stage, authlib: Program) -> None:
    assert told(authlib, served) == KNOWN["authlib"].shows
    wrong = authlib.runs(served, SECRET="another")
    assert wrong.code != 0
    assert f"invalid_client: {CallerUnproved.meaning()}" in wrong.shown


@pytest.mark.row("C-authlib", real="authlib")
@pytest.mark.row("F-assertion", real="authlib")
def test_authlibs_private_key_jwt_is_accepted_as_it_is_by_default(served: Stage, authlib: Program) -> None:
    client = python("authlib_private_key.py", served, "REQUESTS_CA_BUNDLE")
    assert client.runs(served).seen == {"subject": WORKLOAD, "client": "clerk", "scope": ["read"], "actors": []}
    assert told(client, served) == KNOWN["authlib_private_key"].shows


@pytest.mark.row("C-authlib", real="authlib")
@pytest.mark.row("F-assertion", real="authlib")
def test_authlibs_user_is_told_which_of_its_defaults_an_application_does_not_allow(served: Stage, authlib: Program) -> None:
    strict = python("authlib_private_key.py", served, "REQUESTS_CA_BUNDLE").runs(served, CLIENT="robot")
    assert strict.code != 0
    assert "invalid_client: it lives for 3600 seconds, and 300 are accepted from this issuer" in strict.shown


@pytest.mark.row("C-requests-oauthlib", real="requests_oauthlib")
@pytest.mark.row("F-exchange", real="requests_oauthlib")
def test_requests_oauthlib_exchanges_with_a_grant_of_two_lines(served: Stage, requests_oauthlib: Program) -> None:
    assert requests_oauthlib.runs(served).seen == {"subject": WORKLOAD, "client": "shop", "scope": ["read"], "actors": []}


@pytest.mark.row("C-requests-oauthlib", real="requests_oauthlib")
def test_requests_oauthlib_shows_our_refusal(served: Stage, requests_oauthlib: Program) -> None:
    assert told(requests_oauthlib, served) == KNOWN["requests_oauthlib"].shows


@pytest.mark.row("C-mcp", real="mcp")
@pytest.mark.row("P-discovery", real="mcp")
@pytest.mark.row("F-assertion", real="mcp")
def test_an_mcp_client_finds_us_by_the_server_and_calls_its_tool(served: Stage, mcp: Program) -> None:
    assert mcp.runs(served).seen == {"subject": ROBOT, "client": "robot", "scope": ["read"], "actors": []}


@pytest.mark.row("C-mcp", real="mcp")
def test_an_mcp_client_shows_our_refusal_of_a_key_that_is_not_registered(served: Stage, mcp: Program) -> None:
    refused = mcp.runs(served, KEY_PEM=served.strange_key)
    assert facts(refused, served, CallerUnproved) == KNOWN["mcp"].shows - {"expected and seen"}


@pytest.mark.row("P-discovery", real="msal")
@pytest.mark.row("F-application", real="msal")
def test_msal_takes_a_zone_as_its_authority_and_shows_our_refusal(served: Stage, msal: Program) -> None:
    daemon = "wimse://tenant.localhost/application/daemon"
    assert msal.runs(served).seen == {"subject": daemon, "client": "daemon", "scope": ["read"], "actors": []}
    assert facts(msal.runs(served, SECRET="another"), served, CallerUnproved) == KNOWN["msal"].shows - {"expected and seen"}


@pytest.mark.row("C-openai", real="openai")
@pytest.mark.row("J-exchange", real="openai")
def test_openai_exchanges_by_json_for_the_target_of_the_issuer(served: Stage, openai: Program) -> None:
    assert openai.runs(served).seen == {"subject": WORKLOAD, "client": WORKLOAD, "scope": [], "actors": []}


@pytest.mark.row("C-openai", real="openai")
def test_openai_shows_our_refusal(served: Stage, openai: Program) -> None:
    assert told(openai, served) == KNOWN["openai"].shows
