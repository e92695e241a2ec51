"""Workloads of Azure, by azure-identity itself, through a served Cambist in both dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from habits.clouds import Workload, app_service
from habits.pages import blocks
from habits.served import Served, address, served
from habits.workspace import ROOT

from cambist.compact import Compact
from cambist.testing import EntraForge
from cambist_azure.validator import AZURE_IDENTITY

OURS, TARGET, STARFLY = "api://cambist", "https://registry.example.com", "urn:starfly:token-type:azure-mi"
PAGE = ROOT / "docs" / "how-to" / "accept-azure.md"
both = pytest.mark.parametrize("dialect", ["form", "json"])
FETCH = """
import os
from azure.identity import ManagedIdentityCredential
print(ManagedIdentityCredential().get_token(os.environ["SCOPE"]).token)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, azure_identity: Workload) -> Iterator[Served]:
    toml = f"""
[plugins.azure]
audience = ["{OURS}"]
[[plugins.azure.tenants]]
id = "{azure_identity.cloud.entra.tenant}"
jwks_url = "{azure_identity.cloud.url}/tenant"
"""
    [grants] = [json.loads(block) for block in blocks(PAGE, "json") if "grants" in block]
    with served(tmp_path_factory.mktemp("azure"), address(), toml, grants, authenticates=(AZURE_IDENTITY,)) as running:
        yield running


def ask(service: Served, dialect: str, token: str) -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=STARFLY, audience=TARGET, scope="push")


@pytest.mark.row("T-azure", real="azure_identity")
@both
@pytest.mark.parametrize("place", ["virtual machine", "app service"])
def test_what_azure_identity_fetches_is_exchanged_with_its_newline(
    service: Served, azure_identity: Workload, dialect: str, place: str
) -> None:
    env = app_service(azure_identity.cloud) if place == "app service" else {}
    token = azure_identity.says(FETCH, SCOPE=f"{OURS}/.default", **env)
    answer = ask(service, dialect, f"{token}\n")
    assert answer.status_code == 200, answer.text
    issued = Compact.parse(answer.json()["access_token"]).claims
    assert issued["sub"].endswith(f"/subject/{EntraForge.identity}")
    assert (issued["aud"], issued["scope"]) == (TARGET, "push")


@pytest.mark.row("T-azure", real="azure_identity")
@both
@pytest.mark.parametrize("api", ["https://management.azure.com", "https://graph.microsoft.com"])
def test_what_it_fetches_for_apis_of_azure_is_refused(service: Served, azure_identity: Workload, dialect: str, api: str) -> None:
    answer = ask(service, dialect, azure_identity.says(FETCH, SCOPE=f"{api}/.default"))
    assert (answer.status_code, answer.json()["reason"]) == (400, "platform_token")
    assert "whose audience is this service" in answer.text


@both
def test_nearly_good_ones_are_refused_each_with_its_reason(service: Served, azure_identity: Workload, dialect: str) -> None:
    entra = azure_identity.cloud.entra
    assert ask(service, dialect, entra.person(aud=OURS)).json()["reason"] == "user_token"
    assert ask(service, dialect, entra.jwt(aud=OURS, tid="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")).json()["reason"] == "tenant_mismatch"
    assert ask(service, dialect, azure_identity.says(FETCH, SCOPE="api://other/.default")).json()["reason"] == "audience_mismatch"


def test_the_page_ends_in_a_working_exchange(service: Served, azure_identity: Workload) -> None:
    [script] = blocks(PAGE, "python")
    answer = json.loads(azure_identity.says(script.replace("https://sts.example.com", service.url)))
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 300, "push")
