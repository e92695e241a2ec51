"""Clients of npm, unmodified: each gets a token, uses it at an API behind `cambist.verify`, and shows its user our refusal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .known import KNOWN
from .program import Program, node, told
from .stage import WORKLOAD, Stage, stage

pytestmark = pytest.mark.xdist_group("clients-node")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("clients")) as set_up:
        yield set_up


@pytest.fixture
def google_auth_library(served: Stage) -> Program:
    return node("google_auth_library.mjs", served)


@pytest.fixture
def openid_client(served: Stage) -> Program:
    return node("openid_client.mjs", served)


@pytest.fixture
def oauth4webapi(served: Stage) -> Program:
    return node("oauth4webapi.mjs", served)


@pytest.mark.row("C-google-auth-js", real="google_auth_library")
@pytest.mark.row("F-exchange", real="google_auth_library")
def test_google_auth_library_is_told_of_us_by_a_file(served: Stage, google_auth_library: Program) -> None:
    assert google_auth_library.runs(served).seen == {"subject": WORKLOAD, "client": WORKLOAD, "scope": ["read"], "actors": []}


@pytest.mark.row("C-google-auth-js", real="google_auth_library")
def test_google_auth_library_shows_our_refusal(served: Stage, google_auth_library: Program) -> None:
    assert told(google_auth_library, served) == KNOWN["google_auth_library"].shows


@pytest.mark.row("C-openid-client", real="openid_client")
@pytest.mark.row("P-discovery", real="openid_client")
@pytest.mark.row("F-exchange", real="openid_client")
@pytest.mark.row("F-application", real="openid_client")
def test_openid_client_discovers_us_and_exchanges(served: Stage, openid_client: Program) -> None:
    assert openid_client.runs(served).seen == {"subject": WORKLOAD, "client": "shop", "scope": ["read"], "actors": []}


@pytest.mark.row("C-openid-client", real="openid_client")
def test_openid_client_shows_our_refusal(served: Stage, openid_client: Program) -> None:
    assert told(openid_client, served) == KNOWN["openid_client"].shows


@pytest.mark.row("C-oauth4webapi", real="oauth4webapi")
@pytest.mark.row("P-discovery", real="oauth4webapi")
@pytest.mark.row("F-exchange", real="oauth4webapi")
@pytest.mark.row("F-assertion", real="oauth4webapi")
def test_oauth4webapi_proves_its_key_to_the_issuer_and_exchanges(served: Stage, oauth4webapi: Program) -> None:
    assert oauth4webapi.runs(served).seen == {"subject": WORKLOAD, "client": "robot", "scope": ["read"], "actors": []}


@pytest.mark.row("C-oauth4webapi", real="oauth4webapi")
def test_oauth4webapi_shows_our_refusal(served: Stage, oauth4webapi: Program) -> None:
    assert told(oauth4webapi, served) == KNOWN["oauth4webapi"].shows
