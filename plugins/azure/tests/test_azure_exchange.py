"""Tokens of Entra through the whole service, in both dialects: good ones, and each nearly good one with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cambist.testing import ABSENT, AllowAll, EntraForge, MovableClock, Running, ScriptedHttp, open_sts
from cambist.wire.codes import TABLE
from cambist_azure.validator import AZURE_IDENTITY

OURS, API = "api://cambist", "https://api.example"
STARFLY = "urn:starfly:token-type:azure-mi"
CLOCK = MovableClock()
NOON = int(CLOCK())
V1, V2 = EntraForge(OURS, CLOCK), EntraForge(OURS, CLOCK, version=2)
V2.key = V1.key
TENANT, OTHER = V1.tenant, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
both = pytest.mark.parametrize("dialect", ["form", "json"])
LOGIN = {
    "public": ("https://login.microsoftonline.com", "https://sts.windows.net"),
    "us-government": ("https://login.microsoftonline.us", "https://sts.windows.net"),
    "china": ("https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"),
}
KEYS = {f"{login}/{TENANT}/discovery/v2.0/keys": V1.jwks for login, _ in LOGIN.values()}


@asynccontextmanager
async def service(policy: AllowAll | None = None, **tenant: Any) -> AsyncIterator[Running]:
    table = {"audience": [OURS], "tenants": [{"id": TENANT, **tenant}]}
    settings = {"authenticates": [AZURE_IDENTITY], "plugins": {"azure": table}}
    async with open_sts(settings, modules={"scripted": policy or AllowAll()}, clock=CLOCK, transport=ScriptedHttp(KEYS)) as sts:
        yield sts


async def ask(sts: Running, token: str, dialect: str, token_type: str = STARFLY) -> httpx.Response:
    sent: dict[str, Any] = {"subject_token": token, "subject_token_type": token_type, "audience": API}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


@pytest.mark.row("T-azure")
@both
@pytest.mark.parametrize("token_type", [AZURE_IDENTITY, STARFLY])
@pytest.mark.parametrize("forge", [V1, V2], ids=["1.0", "2.0"])
async def test_tenant_and_object_id_are_the_identity_in_both_versions(forge: EntraForge, dialect: str, token_type: str) -> None:
    policy = AllowAll()
    async with service(policy) as sts:
        answer = await ask(sts, f"{forge.jwt(client_id='forged', resource_group='forged')}\n", dialect, token_type)
    assert answer.status_code == 200, answer.text
    who = policy.asked[0].subject.identity
    assert (who.issuer, who.subject) == (f"https://login.microsoftonline.com/{TENANT}/v2.0", V1.identity)
    facts = who.attributes
    assert (facts["tenant_id"], facts["client_id"], facts["identity_kind"]) == (TENANT, V1.application, "user-assigned")
    assert (facts["subscription_id"], facts["resource_group"]) == ("6b1c5d2e-93a4-4f0b-8c7d-2e1f0a9b8c7d", "acme-prod")
    assert (facts["resource_type"], facts["resource_name"]) == ("microsoft.managedidentity/userassignedidentities", "batch")


@pytest.mark.row("T-azure")
@both
@pytest.mark.parametrize("cloud", LOGIN)
async def test_each_cloud_has_its_issuers_of_both_versions(cloud: str, dialect: str) -> None:
    login, first = LOGIN[cloud]
    async with service(cloud=cloud) as sts:
        for token in (V1.jwt(iss=f"{first}/{TENANT}/"), V2.jwt(iss=f"{login}/{TENANT}/v2.0")):
            answer = await ask(sts, token, dialect)
            assert answer.status_code == 200, answer.text
        for another, _ in LOGIN.values():
            if another != login:
                stranger = await ask(sts, V2.jwt(iss=f"{another}/{TENANT}/v2.0"), dialect)
                assert stranger.json()["reason"] == "issuer_not_trusted"


VM = "/subscriptions/6B1C5D2E-93a4-4f0b-8c7d-2e1f0a9b8c7d/resourceGroups/Acme_(1).x/providers/Microsoft.Compute/virtualMachines/vm-7"
SLOT = f"{V1.mirid.partition('/providers')[0]}/providers/Microsoft.Web/sites/shop/slots/staging"


@pytest.mark.parametrize(
    ("changes", "kind", "facts"),
    [
        ({"xms_mirid": VM}, "system-assigned", {"resource_group": "acme_(1).x", "resource_id": VM.lower()}),
        ({"xms_mirid": SLOT}, "system-assigned", {"resource_type": "microsoft.web/sites", "resource_name": "shop"}),
        ({"xms_az_rid": VM}, "user-assigned", {"xms_az_rid": VM.lower(), "resource_name": "batch"}),
        ({"xms_mirid": ABSENT, "resource_id": VM}, "application", {}),
        ({"idtyp": "app", "sub": "another"}, "user-assigned", {}),
    ],
)
async def test_the_policy_is_told_what_an_identity_belongs_to(changes: dict[str, Any], kind: str, facts: dict[str, str]) -> None:
    policy = AllowAll()
    async with service(policy) as sts:
        assert (await ask(sts, V1.jwt(**changes), "json")).status_code == 200
    attributes = policy.asked[0].subject.identity.attributes
    assert attributes["identity_kind"] == kind
    assert {name: attributes[name] for name in facts} == facts
    assert ("resource_id" in attributes) is (kind != "application"), "only what Azure says of the identity counts"


@both
@pytest.mark.parametrize("forge", [V1, V2], ids=["1.0", "2.0"])
async def test_a_person_comes_in_where_the_settings_say_so_and_is_told_apart(forge: EntraForge, dialect: str) -> None:
    policy = AllowAll()
    async with service(policy, users=True) as sts:
        assert (await ask(sts, forge.person(), dialect)).status_code == 200
        assert (await ask(sts, forge.jwt(), dialect)).status_code == 200
    person, workload = (asked.subject.identity.attributes["identity_kind"] for asked in policy.asked)
    assert (person, workload) == ("user", "user-assigned")


def below(name: str) -> str:
    return V1.mirid.replace("acme-prod", name)


SIBLINGS: dict[str, tuple[str, str]] = {
    "a person's by scp": ("user_token", V1.person()),
    "a person's by idtyp": ("user_token", V1.jwt(idtyp="user")),
    "a person's by sub": ("user_token", V2.jwt(sub="pairwise")),
    "a person's that says app": ("user_token", V2.person(idtyp="app")),
    "a device's": ("claim_not_accepted", V1.jwt(idtyp="device")),
    "for Resource Manager": ("platform_token", V1.jwt(aud="https://management.azure.com/")),
    "for Resource Manager, as it was called": ("platform_token", V1.jwt(aud="https://management.core.windows.net/")),
    "for Graph": ("platform_token", V1.jwt(aud="https://graph.microsoft.com")),
    "for Graph by id": ("platform_token", V2.jwt(aud="00000003-0000-0000-c000-000000000000")),
    "for Graph, with its nonce": ("platform_token", V1.jwt({"nonce": "n"}, aud="https://graph.microsoft.com")),
    "for us, with a nonce": ("platform_token", V1.jwt({"nonce": "n"})),
    "for another application": ("audience_mismatch", V1.jwt(aud="api://another")),
    "for two": ("audience_not_sole", V1.jwt(aud=[OURS, "api://another"])),
    "of another tenant": ("issuer_not_trusted", V1.jwt(iss=f"https://sts.windows.net/{OTHER}/", tid=OTHER)),
    "of the common issuer": ("issuer_not_trusted", V2.jwt(iss="https://login.microsoftonline.com/common/v2.0")),
    "of the issuer's template": ("issuer_not_trusted", V2.jwt(iss="https://login.microsoftonline.com/{tenantid}/v2.0")),
    "of the first issuer without its slash": ("issuer_not_trusted", V1.jwt(iss=f"https://sts.windows.net/{TENANT}")),
    "of the second issuer with a slash": ("issuer_not_trusted", V2.jwt(iss=f"{V2.issuer}/")),
    "whose tid is another tenant": ("tenant_mismatch", V1.jwt(tid=OTHER)),
    "without tid": ("tenant_mismatch", V2.jwt(tid=ABSENT)),
    "of the first version in the second's name": ("credential_malformed", V1.jwt(iss=V2.issuer)),
    "of the second version in the first's name": ("credential_malformed", V2.jwt(iss=V1.issuer)),
    "with the other version's client": ("claim_missing", V2.jwt(azp=ABSENT, appid=V1.application)),
    "without oid": ("claim_missing", V1.jwt(oid=ABSENT, idtyp="app")),
    "whose oid is a name": ("claim_missing", V1.jwt(oid="batch", idtyp="app")),
    "an ID token": ("token_kind_mismatch", V2.jwt(nonce="n")),
    "whose resource is a path": ("credential_malformed", V1.jwt(xms_mirid=below(".."))),
    "whose resource goes up": ("credential_malformed", V1.jwt(xms_mirid=below("x/../y"))),
    "whose resource is escaped": ("credential_malformed", V1.jwt(xms_mirid=below("acme%2fprod"))),
    "whose resource has a letter that Azure folds": ("credential_malformed", V1.jwt(xms_mirid=below("ac\u212ae"))),
    "whose resource ends in a line": ("credential_malformed", V1.jwt(xms_mirid=f"{V1.mirid}\n")),
    "whose resource goes on": ("credential_malformed", V1.jwt(xms_mirid=f"{V1.mirid}/x")),
    "whose machine is no resource": ("credential_malformed", V1.jwt(xms_az_rid="vm-7")),
    "whose resource is a list": ("credential_malformed", V1.jwt(xms_mirid=[V1.mirid])),
    "expired by a second": ("credential_expired", V1.jwt(exp=NOON - 1)),
    "opaque": ("credential_unclaimed", "opaque"),
}


@both
@pytest.mark.parametrize("sibling", SIBLINGS)
async def test_one_that_is_nearly_good_is_refused_with_its_own_reason_and_a_hint(dialect: str, sibling: str) -> None:
    reason, token = SIBLINGS[sibling]
    async with service() as sts:
        answer = await ask(sts, token, dialect)
        [record] = sts.records
    told = answer.json()
    assert (answer.status_code, told["error"], told["reason"]) == (400, "invalid_request", reason), answer.text
    assert record.outcome == reason
    [kind] = {kind for kind in TABLE if kind.reason == reason}
    assert kind.hint
    assert token.rpartition(".")[2] not in answer.text or token == "opaque"


async def test_keys_of_a_tenant_that_is_not_listed_are_never_asked_for() -> None:
    """The tenant stands in a token that nobody has verified: it must not lead us anywhere."""
    http = ScriptedHttp(KEYS)
    table = {"audience": [OURS], "tenants": [{"id": TENANT}]}
    async with open_sts({"authenticates": [AZURE_IDENTITY], "plugins": {"azure": table}}, clock=CLOCK, transport=http) as sts:
        await ask(sts, V2.jwt(iss=f"https://login.microsoftonline.com/{OTHER}/v2.0", tid=OTHER), "json")
    assert http.asked == []
