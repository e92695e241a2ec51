"""Judges the tokens of Entra: whose tenant signed, for whom, and that it is a workload."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambist import Credential, CredentialMalformed, Identity, Proven, Unverified, Verified
from cambist.check import Check, Sample, Trust, tried
from cambist.errors import AudienceNotSole, ClaimMissing, ClaimNotAccepted, PlatformToken, TenantMismatch, UserToken
from cambist.issuer_check import trusts
from cambist.jwts import Expected, Jwts
from cambist.token_check import Rule, examined
from cambist.token_kind import ACCESS, check_kind
from cambist.token_type import OWN

from .apis import is_api_of_azure
from .resource import GUID, NAMES, USER_ASSIGNED, resource
from .settings import AzureSettings, Tenant

AZURE_IDENTITY = f"{OWN}azure-managed-identity"
_CLIENT = {"1.0": "appid", "2.0": "azp"}
_GUID = re.compile(GUID)


class EntraIdentities:
    """Takes access tokens of the tenants that are listed."""

    token_types = frozenset({AZURE_IDENTITY})

    def __init__(self, settings: AzureSettings, jwts: Jwts) -> None:
        self._jwts = jwts
        trusted = settings.trusted(jwts)
        self._expected = {issuer: expected for issuer, (_, _, expected) in trusted.items()}
        self._tenants = {issuer: (tenant, version) for issuer, (tenant, version, _) in trusted.items()}
        self.issuers = frozenset(trusted)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._expected

    async def validate(self, credential: Credential) -> Proven:
        _check_header(credential)
        verified = await self._jwts.verify(credential, self._expected)
        tenant, version = self._tenants[verified.expected.issuer]
        _check_audience(verified)
        check_kind(ACCESS, verified.claims)
        _check_origin(verified, tenant, version)
        person = _check_person(verified, tenant)
        facts = _facts(verified, version, person)
        # A person lends an application no more than this; a workload has what is its own.
        scope = frozenset((verified.text("scp") or "").split()) if person else None
        identity = Identity(issuer=tenant.issuer, subject=_id(verified, "oid"), attributes={**facts, "tenant_id": tenant.id})
        return verified.proven(identity=identity, scope=scope)

    @property
    def trusts(self) -> Sequence[Trust]:
        return trusts(self._expected)

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        platform = tried("platform", lambda: _check_header(sample.credential), "not one that only Azure itself can verify")
        return [platform, *await examined(self._jwts, sample, self._expected, self._rules)]

    def _rules(self, expected: Expected) -> Iterator[Rule]:
        tenant, version = self._tenants[expected.issuer]
        yield "sole audience", _check_audience
        yield "kind", lambda verified: check_kind(ACCESS, verified.claims)
        yield "tenant", lambda verified: _check_origin(verified, tenant, version)
        yield "workload", lambda verified: _check_person(verified, tenant)
        yield "identity", lambda verified: _id(verified, "oid")
        yield "facts", lambda verified: _facts(verified, version, _is_person(verified))


def _check_header(credential: Credential) -> None:
    """Microsoft Graph alone can verify these: what is signed is a digest of the nonce, not the nonce."""
    if "nonce" in credential.unverified().header:
        raise PlatformToken("a token with a nonce in its header is for Microsoft Graph")


def _check_person(verified: Verified, tenant: Tenant) -> bool:
    """Whether it is a person's token. Raises UserToken where only workloads are accepted."""
    if (person := _is_person(verified)) and not tenant.users:
        raise UserToken("this is the token of a person", expected={"idtyp": "app"}, seen={"idtyp": verified.text("idtyp")})
    return person


def _check_audience(verified: Verified) -> None:
    if any(map(is_api_of_azure, verified.audience)):
        raise PlatformToken("a token for an API of Azure", expected=sorted(verified.expected.audiences), seen=sorted(verified.audience))
    if len(verified.audience) > 1:
        raise AudienceNotSole(expected=sorted(verified.expected.audiences), seen=sorted(verified.audience))


def _check_origin(verified: Verified, tenant: Tenant, version: str) -> None:
    if (seen := verified.text("tid")) != tenant.id:
        raise TenantMismatch("tid is not the tenant of the issuer", expected=tenant.id, seen=seen)
    if (seen := verified.text("ver")) != version:
        raise CredentialMalformed("ver is not the version of the tokens of this issuer", expected=version, seen=seen)


def _id(verified: Verified, name: str) -> str:
    """Names and addresses in a directory change and come back as somebody else's; ids are never given twice."""
    value = verified.text(name)
    if value is None or not _GUID.fullmatch(value):
        raise ClaimMissing(f"{name} is missing, or no GUID", expected=name)
    return value


def _is_person(verified: Verified) -> bool:
    """Told by `idtyp`, by `scp`, which is what a person lent, and by `sub`, which of a workload alone is its `oid`."""
    kind = verified.text("idtyp")
    if kind not in (None, "app", "user"):
        raise ClaimNotAccepted("idtyp tells neither of a workload nor of a person", expected=["app", "user"], seen=kind)
    return kind == "user" or "scp" in verified.claims or (kind is None and verified.subject != verified.claims.get("oid"))


def _facts(verified: Verified, version: str, person: bool) -> Mapping[str, Any]:
    """All claims, and what we name ourselves: never a claim of such a name that somebody added to the tokens of a tenant."""
    facts = {name: value for name, value in verified.claims.items() if name not in NAMES}
    facts["client_id"] = _id(verified, _CLIENT[version])
    facts["identity_kind"] = "user" if person else "application"
    if (runs_on := verified.text("xms_az_rid")) is not None:
        facts["xms_az_rid"] = resource("xms_az_rid", runs_on)["resource_id"]
    if (mirid := verified.text("xms_mirid")) is not None and not person:
        parts = resource("xms_mirid", mirid)
        facts |= {**parts, "identity_kind": "user-assigned" if parts["resource_type"] == USER_ASSIGNED else "system-assigned"}
    return facts
