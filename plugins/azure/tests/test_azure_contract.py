"""`azure` keeps the contract of every validator, for tokens of both versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, CredentialMalformed, Proven, Role, Validator
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.errors import PlatformToken
from cambist.jwts import Jwts
from cambist.testing import ABSENT, DeafHttp, EntraForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist_azure.resource import NAMES
from cambist_azure.settings import AzureSettings
from cambist_azure.validator import AZURE_IDENTITY, EntraIdentities

OURS, KEYS = "api://cambist", "https://keys.example"


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
    assert names[0] == "platform"
    assert names[names.index("audience") + 1 :] == ["sole audience", "kind", "tenant", "workload", "identity", "facts"]
    assert [check.name for check in checks if check.state is State.FAILED] == failed


def test_a_credential_is_its_business_when_its_tenant_is_listed() -> None:
    clock = MovableClock()
    forge = EntraForge(OURS, clock)
    validator = plugin(clock, DeafHttp(), forge.tenant)
    assert validator.recognizes(Unverified(token_type=AZURE_IDENTITY, issuer=forge.issuer))
    assert not validator.recognizes(Unverified(token_type=AZURE_IDENTITY, issuer="https://another.example"))


# ── people, where a tenant lets them in ─────────────────────────────────────────────────────────────────


async def proved(**changes: Any) -> Proven:
    clock = MovableClock()
    forge = EntraForge(OURS, clock)
    tenant = {"id": forge.tenant, "users": True, "jwks_url": KEYS}
    settings = AzureSettings.model_validate({"audience": [OURS], "tenants": [tenant]})
    validator = EntraIdentities(settings, Jwts(Egress(EgressSettings(), ScriptedHttp({KEYS: forge.jwks})), clock))
    return await validator.validate(Credential(token=forge.jwt(**changes), token_type=AZURE_IDENTITY, role=Role.SUBJECT))


PERSON: dict[str, Any] = {"sub": "pairwise-of-alice", "idtyp": "user", "xms_mirid": ABSENT}


@pytest.mark.parametrize(
    ("changes", "scope"),
    [
        ({}, None),
        ({**PERSON, "scp": "read write"}, {"read", "write"}),
        ({**PERSON, "scp": ""}, set()),
        (PERSON, set()),
    ],
)
async def test_a_person_lends_no_more_than_scp_and_a_workload_has_what_is_its_own(changes: dict[str, Any], scope: set[str] | None) -> None:
    assert (await proved(**changes)).scope == scope


async def test_a_person_is_no_resource_though_a_claim_says_so() -> None:
    told = (await proved(**{**PERSON, "xms_mirid": EntraForge.mirid})).identity.attributes
    assert told["identity_kind"] == "user"
    assert not {"resource_id", "resource_name", "subscription_id"} & told.keys()


async def test_what_an_identity_runs_on_is_told_in_the_spelling_of_ids() -> None:
    told = (await proved(xms_az_rid=EntraForge.mirid)).identity.attributes
    assert told["xms_az_rid"] == EntraForge.mirid.lower()
    assert set(told) & {"below", *NAMES} == NAMES


async def test_a_token_that_is_for_an_api_of_azure_too_is_a_platforms() -> None:
    with pytest.raises(PlatformToken):
        await proved(aud=[OURS, "https://graph.microsoft.com"])


@pytest.mark.parametrize("claim", ["xms_az_rid", "xms_mirid"])
async def test_an_id_of_no_resource_is_told_by_the_claim_that_it_stands_in(claim: str) -> None:
    with pytest.raises(CredentialMalformed, match=f"^{claim} is not the id of a resource"):
        await proved(**{claim: "vm-7"})
