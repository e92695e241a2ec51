"""What the operator says of Azure: for whom tokens must be, and whose tenants are trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from cambist import Expected, Field, Shape
from cambist.jwts import Jwts
from cambist.trusted_issuer import TrustedIssuer, check_no_issuer_twice

from .apis import is_api_of_azure
from .resource import GUID

LIFETIME = 90_000
"""The longest that a token of a managed identity lives, in seconds: a day and five minutes, and some."""
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
_CLOUDS = {
    "public": ("https://login.microsoftonline.com", "https://sts.windows.net"),
    "us-government": ("https://login.microsoftonline.us", "https://sts.windows.net"),
    "china": ("https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"),
}
"""Where a cloud logs in, which is also how it begins its issuers of version 2.0; and how it begins those of version 1.0."""


def _tenant(text: str) -> str:
    if not re.fullmatch(GUID, text.lower()):
        raise ValueError("must be the id of one tenant, a GUID; common, organizations and consumers are everybody")
    if text.lower() == PERSONAL:
        raise ValueError("this is the tenant of all personal accounts, in which anybody can be")
    return text.lower()


def _ours(audience: str) -> str:
    if is_api_of_azure(audience):
        raise ValueError(f"{audience} is an API of Azure's own: register an application for this service, and name that")
    return audience


class Tenant(Shape):
    """One tenant. Tokens of both versions are accepted from it."""

    id: Annotated[str, AfterValidator(_tenant)] = Field(description="The id of the tenant, a GUID.")
    cloud: Literal["public", "us-government", "china"] = Field("public", description="The cloud that it lives in.")
    users: bool = Field(False, description="Accept tokens of people beside those of workloads.")
    jwks_url: str | None = Field(None, description="Where its keys are published, in place of its cloud's own page.")

    @property
    def issuer(self) -> str:
        """The one name of the tenant, whichever version its tokens have."""
        return f"{_CLOUDS[self.cloud][0]}/{self.id}/v2.0"

    @property
    def versions(self) -> Mapping[str, str]:
        """Its issuers, each by the version of its tokens."""
        return {"1.0": f"{_CLOUDS[self.cloud][1]}/{self.id}/", "2.0": self.issuer}

    def trusted(self, audience: tuple[str, ...]) -> Mapping[str, TrustedIssuer]:
        """Its issuers by version. Their keys are those of the tenant's own page, never of one that tenants share."""
        url = self.jwks_url or f"{_CLOUDS[self.cloud][0]}/{self.id}/discovery/v2.0/keys"
        return {
            version: TrustedIssuer(issuer=issuer, jwks_url=url, algorithms=("RS256",), audience=audience, max_lifetime=LIFETIME)
            for version, issuer in self.versions.items()
        }


class AzureSettings(Shape):
    """The trusted tenants."""

    audience: tuple[Annotated[str, AfterValidator(_ours)], ...] = Field(
        min_length=1, description="Audiences, as id or as URI of the application that is registered for this service."
    )
    tenants: tuple[Tenant, ...] = Field(min_length=1, description="One table for each trusted tenant.")

    @model_validator(mode="after")
    def _no_tenant_twice(self) -> Self:
        check_no_issuer_twice(trusted for tenant in self.tenants for trusted in tenant.trusted(self.audience).values())
        return self

    def trusted(self, jwts: Jwts) -> Mapping[str, tuple[Tenant, str, Expected]]:
        """Tenant, version, and what tokens must be, by their issuer. Raises Unavailable when keys cannot be used."""
        return {
            trusted.issuer: (tenant, version, trusted.expected(jwts, "JWT"))
            for tenant in self.tenants
            for version, trusted in tenant.trusted(self.audience).items()
        }
