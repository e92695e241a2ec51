"""Workloads of Google Cloud, by google-auth itself, through a served Cambist in both dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from habits.clouds import GCE, Workload
from habits.pages import blocks
from habits.served import Served, address, served
from habits.workspace import ROOT

from cambist.compact import Compact
from cambist.testing import GoogleForge
from cambist_gcp.validator import GCP_IDENTITY

TARGET, STARFLY = "https://registry.example.com", "urn:starfly:token-type:gcp-wif"
PAGE = ROOT / "docs" / "how-to" / "accept-google-cloud.md"
both = pytest.mark.parametrize("dialect", ["form", "json"])

SHORT = f"""
import os, google.auth.transport.requests as t
from google.auth.compute_engine import _metadata
print(_metadata.get(t.Request(), "{GCE.removeprefix("/computeMetadata/v1/")}/identity", params={{"audience": os.environ["OURS"]}}))
"""
FULL = """
import os, google.auth.transport.requests as t
from google.auth.compute_engine import IDTokenCredentials
credentials = IDTokenCredentials(t.Request(), os.environ["OURS"], use_metadata_identity_endpoint=True)
credentials.refresh(t.Request())
print(credentials.token)
"""
SELF_SIGNED = """
import json, os
from google.auth.jwt import Credentials
credentials = Credentials.from_service_account_info(json.loads(os.environ["KEY_FILE"]), audience=os.environ["OURS"])
credentials.refresh(None)
print(credentials.token.decode())
"""
ACCESS = """
import google.auth.transport.requests as t
from google.auth.compute_engine import Credentials
credentials = Credentials()
credentials.refresh(t.Request())
print(credentials.token)
"""
EXCHANGED_BY_GOOGLE = """
import json, os, google.auth.transport.requests as t
from google.auth.identity_pool import Credentials
credentials = Credentials.from_info(json.loads(os.environ["EXTERNAL_ACCOUNT"])).with_scopes(["push"])
credentials.refresh(t.Request())
print(credentials.token)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, google_auth: Workload) -> Iterator[Served]:
    url, cloud = address(), google_auth.cloud
    toml = f"""
[plugins.gcp]
audience = ["{url}"]
projects = ["acme-prod"]
accounts = ["{GoogleForge.account}"]
jwks_url = "{cloud.url}/certs"
[[plugins.gcp.self_signed]]
email = "{GoogleForge.email}"
id = "{GoogleForge.account}"
jwks_url = "{cloud.url}/account"
"""
    [grants] = [json.loads(block) for block in blocks(PAGE, "json") if "grants" in block]
    with served(tmp_path_factory.mktemp("gcp"), url, toml, grants, authenticates=(GCP_IDENTITY,)) as running:
        yield running


def ask(service: Served, dialect: str, token: str) -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=STARFLY, audience=TARGET, scope="push")


@pytest.mark.row("T-gcp", real="google_auth")
@both
@pytest.mark.parametrize("script", [SHORT, FULL, SELF_SIGNED], ids=["standard", "full", "self-signed"])
def test_what_google_auth_fetches_or_signs_is_exchanged_with_its_newline(
    service: Served, google_auth: Workload, dialect: str, script: str
) -> None:
    token = google_auth.says(script, OURS=service.url, KEY_FILE=json.dumps(google_auth.cloud.key_file))
    answer = ask(service, dialect, f"{token}\n")
    assert answer.status_code == 200, answer.text
    issued = Compact.parse(answer.json()["access_token"]).claims
    assert issued["sub"].endswith(f"/subject/{GoogleForge.account}")
    assert (issued["aud"], issued["scope"]) == (TARGET, "push")


@pytest.mark.row("T-gcp", real="google_auth")
def test_google_auth_exchanges_by_itself_from_a_file_that_describes_us(service: Served, google_auth: Workload) -> None:
    """Its external_account credentials: it fetches the identity token from the metadata server, and asks our form endpoint."""
    source = {
        "url": f"{google_auth.cloud.url}{GCE}/identity?audience={service.url}&format=full",
        "headers": {"Metadata-Flavor": "Google"},
    }
    described = {
        "type": "external_account",
        "audience": TARGET,
        "subject_token_type": STARFLY,
        "token_url": f"{service.url}/oauth/2/token",
        "credential_source": source,
    }
    issued = Compact.parse(google_auth.says(EXCHANGED_BY_GOOGLE, EXTERNAL_ACCOUNT=json.dumps(described))).claims
    assert (issued["aud"], issued["scope"]) == (TARGET, "push")


@pytest.mark.row("T-gcp", real="google_auth")
@both
def test_its_access_token_is_refused_and_the_refusal_says_what_to_fetch(service: Served, google_auth: Workload, dialect: str) -> None:
    answer = ask(service, dialect, google_auth.says(ACCESS))
    assert (answer.status_code, answer.json()["reason"]) == (400, "platform_token")
    assert "identity token" in answer.text


@both
def test_what_the_machine_has_for_others_is_refused(service: Served, google_auth: Workload, dialect: str) -> None:
    other = google_auth.says(FULL, OURS="https://other.example")
    assert ask(service, dialect, other).json()["reason"] == "audience_mismatch"
    assert ask(service, dialect, google_auth.cloud.google.person(aud=service.url)).json()["reason"] == "user_token"


def test_the_page_ends_in_a_working_exchange(service: Served, google_auth: Workload) -> None:
    [script] = blocks(PAGE, "python")
    answer = json.loads(google_auth.says(script.replace("https://sts.example.com", service.url)))
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 300, "push")
