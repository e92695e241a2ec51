"""`azure` keeps the contract of every validator, for tokens of both versions."""

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
from cambist.testing import DeafHttp, EntraForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist_azure.settings import AzureSettings
from cambist_azure.validator import AZURE_IDENTITY, EntraIdentities

OURS = "api://cambist"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, tenant: str) -> EntraIdentities:
    settings = AzureSettings.model_validate({"audience": [OURS], "tenants": [{"id": tenant}]})
    return EntraIdentities(settings, Jwts(Egress(EgressSettings(), http), clock))


class AzureContract(LooksAtWhomItTrusts, ValidatorContract):
    """What both versions have in common."""

    version = 1

    @pytest.fixture
    def forge(self, clock: MovableClock) -> EntraForge:
        return EntraForge(OURS, clock, version=self.version)

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: EntraForge) -> Validator:
        url = f"https://login.microsoftonline.com/{forge.tenant}/discovery/v2.0/keys"
        return plugin(clock, ScriptedHttp({url: forge.jwks}), forge.tenant)

    @pytest.fixture
    def good(self, forge: EntraForge) -> Credential:
        return Credential(token=forge.jwt(), token_type=AZURE_IDENTITY, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge: EntraForge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)

    @pytest.fixture
    def cut_off(self, clock: MovableClock, forge: EntraForge) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp(), forge.tenant),)


@pytest.mark.row("T-azure")
class TestVersionOne(AzureContract):
    version = 1


@pytest.mark.row("T-azure")
class TestVersionTwo(AzureContract):
    version = 2


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"aud": [OURS, "another"]}, ["sole audience"]),
        ({"tid": "00000000-0000-0000-0000-000000000000"}, ["tenant"]),
        ({"ver": "2.0"}, ["tenant"]),
        ({"idtyp": "user"}, ["workload"]),
        ({"oid": "no id", "idtyp": "app"}, ["identity"]),
        ({"appid": "no id"}, ["facts"]),
        ({"token_use": "id"}, ["kind"]),
    ],
)
async def test_a_diagnosis_asks_what_the_plugin_asks_of_a_token(changes: dict[str, Any], failed: list[str]) -> None:
    clock = MovableClock()
    forge = EntraForge(OURS, clock)
    url = f"https://login.microsoftonline.com/{forge.tenant}/discovery/v2.0/keys"
    credential = Credential(token=forge.jwt(**changes), token_type=AZURE_IDENTITY, role=Role.SUBJECT)
    checks = await plugin(clock, ScriptedHttp({url: forge.jwks}), forge.tenant).diagnose(Sample(credential=credential))
    names = [check.name for check in checks]
    assert names[names.index("audience") + 1 :] == ["sole audience", "kind", "tenant", "workload", "identity", "facts"]
    assert [check.name for check in checks if check.state is State.FAILED] == failed


def test_a_credential_is_its_business_when_its_tenant_is_listed() -> None:
    clock = MovableClock()
    forge = EntraForge(OURS, clock)
    validator = plugin(clock, DeafHttp(), forge.tenant)
    assert validator.recognizes(Unverified(token_type=AZURE_IDENTITY, issuer=forge.issuer))
    assert not validator.recognizes(Unverified(token_type=AZURE_IDENTITY, issuer="https://another.example"))
