"""`azure` keeps the contract of every validator, for tokens of both versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx
import pytest

from cambist import Credential, Role, Validator
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import DeafHttp, EntraForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist_azure.settings import AzureSettings
from cambist_azure.validator import AZURE_IDENTITY, EntraIdentities

OURS = "api://cambist"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, tenant: str) -> EntraIdentities:
    settings = AzureSettings.model_validate({"audience": [OURS], "tenants": [{"id": tenant}]})
    return EntraIdentities(settings, Jwts(Egress(EgressSettings(), http), clock))


class AzureContract(ValidatorContract):
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
