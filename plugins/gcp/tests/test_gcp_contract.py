"""`gcp` keeps the contract of every validator, for what Google signs and for what accounts sign themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, Role, Validator
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ABSENT, DeafHttp, GoogleForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist_gcp.settings import GcpSettings
from cambist_gcp.validator import GCP_IDENTITY, ServiceAccounts

CERTS = "https://www.googleapis.com/oauth2/v3/certs"
ACCOUNT_KEYS = f"https://www.googleapis.com/service_accounts/v1/jwk/{GoogleForge.email}"
OURS = "https://sts.example"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, **settings: Any) -> ServiceAccounts:
    return ServiceAccounts(GcpSettings.model_validate({"audience": [OURS], **settings}), Jwts(Egress(EgressSettings(), http), clock))


def credential(token: str) -> Credential:
    return Credential(token=token, token_type=GCP_IDENTITY, role=Role.SUBJECT)


class GcpContract(LooksAtWhomItTrusts, ValidatorContract):
    """What all of them have in common."""

    settings: Mapping[str, Any] = {"projects": ["acme-prod"]}

    @pytest.fixture
    def forge(self, clock: MovableClock) -> GoogleForge:
        return GoogleForge(OURS, clock)

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: GoogleForge) -> Validator:
        return plugin(clock, ScriptedHttp({CERTS: forge.jwks, ACCOUNT_KEYS: forge.jwks}), **self.settings)

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp(), **self.settings),)


@pytest.mark.row("T-gcp")
class TestFullIdentityToken(GcpContract):
    @pytest.fixture
    def good(self, forge: GoogleForge) -> Credential:
        return credential(forge.jwt())

    @pytest.fixture
    def wrong(self, forge: GoogleForge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)


@pytest.mark.row("T-gcp")
class TestStandardIdentityToken(GcpContract):
    settings: Mapping[str, Any] = {"accounts": [GoogleForge.account]}

    @pytest.fixture
    def good(self, forge: GoogleForge) -> Credential:
        return credential(forge.standard())

    @pytest.fixture
    def wrong(self, forge: GoogleForge) -> Mapping[str, str]:
        again = "998877665544332211000"
        return {"of an account that was made anew under the same address": forge.jwt(sub=again, azp=again)}


@pytest.mark.row("T-gcp")
class TestSelfSigned(GcpContract):
    settings: Mapping[str, Any] = {"self_signed": [{"email": GoogleForge.email, "id": GoogleForge.account}]}

    @pytest.fixture
    def good(self, forge: GoogleForge) -> Credential:
        return credential(forge.self_signed())

    @pytest.fixture
    def wrong(self, forge: GoogleForge, clock: MovableClock) -> Mapping[str, str]:
        other, now = "other@acme-prod.iam.gserviceaccount.com", int(clock())
        return {
            "about another account than the one that signed": forge.self_signed(sub=other),
            "of an account that is not listed": forge.self_signed(iss=other, sub=other),
            "of an address that is a path": forge.self_signed(iss=f"../{forge.email}", sub=f"../{forge.email}"),
            "living longer than Google lets it": forge.self_signed(exp=now + 3601, iat=now),
            "signed by the account in Google's name, of an account that is not listed": forge.jwt(),
        }


async def test_a_diagnosis_asks_what_the_plugin_asks_of_a_token() -> None:
    clock = MovableClock()
    forge = GoogleForge(OURS, clock)
    validator = plugin(clock, ScriptedHttp({CERTS: forge.jwks}), projects=["acme-prod"])
    for changes, failed in (
        ({}, []),
        ({"iat": ABSENT}, ["issued"]),
        ({"aud": [OURS, "x"]}, ["sole audience"]),
        ({"email_verified": False}, ["account"]),
    ):
        checks = await validator.diagnose(Sample(credential=credential(forge.jwt(**changes))))
        assert [check.name for check in checks][-3:] == ["issued", "sole audience", "account"]
        assert [check.name for check in checks if check.state is State.FAILED] == failed


def test_a_credential_is_its_business_when_its_issuer_is_trusted() -> None:
    validator = plugin(MovableClock(), DeafHttp(), projects=["acme-prod"])
    assert validator.recognizes(Unverified(token_type=GCP_IDENTITY, issuer="https://accounts.google.com"))
    assert not validator.recognizes(Unverified(token_type=GCP_IDENTITY, issuer="https://another.example"))
