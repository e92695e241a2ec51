"""Issuers of the test's own that write as Google and as Entra do: good tokens, and those that are nearly good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..clock import Clock
from .forge import ABSENT, Forge

CLIENT = "32555940559.apps.googleusercontent.com"
"""Whom people log in to."""


class GoogleForge(Forge):
    """Signs identity tokens for one service account on one machine, in the format `full` of Google's metadata server."""

    account = "103845926375849102938"
    email = "robot@acme-prod.iam.gserviceaccount.com"

    def __init__(self, audience: str, clock: Clock, *, kid: str = "google-1") -> None:
        super().__init__("https://accounts.google.com", audience, clock, algorithm="RS256", kid=kid)

    def machine(self, **changes: Any) -> dict[str, Any]:
        """The claim `google`, which tells on what the account runs."""
        engine: dict[str, Any] = {
            "instance_creation_timestamp": 1_767_225_600,
            "instance_id": "4520031799277581759",
            "instance_name": "batch-7",
            "project_id": "acme-prod",
            "project_number": 65_065_065_065,
            "zone": "europe-west3-a",
        }
        return {"compute_engine": {**engine, **changes}}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock())
        google: dict[str, Any] = {"sub": self.account, "azp": self.account, "email": self.email, "email_verified": True, "jti": ABSENT}
        return super().claims(**{**google, "iat": now, "exp": now + 3600, "google": self.machine(), **changes})

    def standard(self, **changes: Any) -> str:
        """In the format `standard`, which tells neither address nor machine."""
        return self.jwt(**{"email": ABSENT, "email_verified": ABSENT, "google": ABSENT, **changes})

    def self_signed(self, **changes: Any) -> str:
        """What the account signs with a key of its own, which is this forge's here."""
        bare = {"iss": self.email, "sub": self.email, "azp": ABSENT, "email": ABSENT, "email_verified": ABSENT, "google": ABSENT}
        return self.jwt(**{**bare, **changes})

    def person(self, **changes: Any) -> str:
        """What a person gets who logs in to Google."""
        return self.jwt(**{"sub": "1123581321345589144", "azp": CLIENT, "email": "alice@example.com", "google": ABSENT, **changes})

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        strangers = self.machine(project_id="stranger-1", project_number=1)
        return super().wrong(folder) | {
            "of a person (the issuer is that of people, too)": self.person(),
            "of a person who hides the address": self.person(email=ABSENT, email_verified=ABSENT),
            "of an account whose address is not verified": self.jwt(email_verified=False),
            "of an account whose address is said to be verified by a text": self.jwt(email_verified="true"),
            "of an account of another project": self.jwt(email="robot@stranger-1.iam.gserviceaccount.com"),
            "of a project whose name begins like ours": self.jwt(email="robot@acme-prod-2.iam.gserviceaccount.com"),
            "of a domain that ends like Google's": self.jwt(email="robot@acme-prod.iam.gserviceaccount.com.example.net"),
            "on a machine of another project": self.jwt(google=strangers),
            "of an account without address that is not listed by its id": self.standard(),
            "whose sub is an address": self.jwt(sub=self.email),
            "of the bare issuer of former years": self.jwt(iss="accounts.google.com"),
            "of the issuer with a slash more (OpenID Connect Core section 3.1.3.7)": self.jwt(iss=f"{self.issuer}/"),
            "for another audience too (RFC 7519 section 4.1.3)": self.jwt(aud=[self.audience, "https://other.example"]),
            "not saying when it was issued": self.jwt(iat=ABSENT),
            "an opaque access token of Google": "ya29.c.c0AYnqXlhB7f-pVq5mCw",
        }


class EntraForge(Forge):
    """Signs access tokens for one managed identity, as Entra does for a tenant; `version` is 1 or 2."""

    identity = "0f1e2d3c-4b5a-4697-8877-665544332211"
    application = "5d4c3b2a-1908-4f7e-8d6c-5b4a39281706"
    mirid = (
        "/subscriptions/6b1c5d2e-93a4-4f0b-8c7d-2e1f0a9b8c7d/resourcegroups/acme-prod/providers"
        "/Microsoft.ManagedIdentity/userAssignedIdentities/batch"
    )

    def __init__(self, audience: str, clock: Clock, *, tenant: str = "2f9c7d5e-41b8-4c6a-9e3d-7a8b9c0d1e2f", version: int = 1) -> None:
        v1, v2 = f"https://sts.windows.net/{tenant}/", f"https://login.microsoftonline.com/{tenant}/v2.0"
        super().__init__(v1 if version == 1 else v2, audience, clock, algorithm="RS256", kid="entra-1")
        self.tenant, self.version = tenant, version

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock()) - 300
        common: dict[str, Any] = {
            **{"sub": self.identity, "oid": self.identity, "tid": self.tenant, "ver": f"{self.version}.0", "aio": "k2RgYJg", "jti": ABSENT},
            **{"rh": "1.AS8A", "uti": "bW9jay11dGk", "xms_mirid": self.mirid, "iat": now, "nbf": now, "exp": now + 86_700},
        }
        first = {"appid": self.application, "appidacr": "2", "idp": self.issuer}
        second = {"azp": self.application, "azpacr": "2"}
        return super().claims(**{**common, **(first if self.version == 1 else second), **changes})

    def person(self, **changes: Any) -> str:
        """What an application gets for a person who logged in to it."""
        return self.jwt(**{"sub": "pairwise-of-alice", "scp": "read", "upn": "alice@example.com", "xms_mirid": ABSENT, **changes})

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        other = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
        forged = self.mirid.replace("acme-prod", "acme-prod/providers/x/../..")
        return super().wrong(folder) | {
            "of a person by scp": self.person(),
            "of a person by idtyp": self.jwt(idtyp="user"),
            "of a person by sub": self.jwt(sub="pairwise-of-alice"),
            "of a person who says to be an app": self.person(idtyp="app"),
            "of something that is neither app nor person": self.jwt(idtyp="device"),
            "whose tid is another tenant": self.jwt(tid=other),
            "without a tid": self.jwt(tid=ABSENT),
            "of another tenant": self.jwt(iss=self.issuer.replace(self.tenant, other), tid=other),
            "of the issuer that tenants share": self.jwt(iss=self.issuer.replace(self.tenant, "common")),
            "of the issuer with another slash (RFC 8725 section 3.8)": self.jwt(iss=f"{self.issuer}/"),
            "of the other version": self.jwt(ver=f"{3 - self.version}.0"),
            "without an oid": self.jwt(oid=ABSENT, idtyp="app"),
            "whose oid is a name": self.jwt(oid="batch", idtyp="app"),
            "for Azure Resource Manager": self.jwt(aud="https://management.azure.com/"),
            "for Microsoft Graph": self.jwt(aud="00000003-0000-0000-c000-000000000000"),
            "with a nonce in its header, as Microsoft Graph's": self.jwt({"nonce": "n"}),
            "an ID token (OpenID Connect Core section 2)": self.jwt(nonce="n"),
            "for another audience too (RFC 7519 section 4.1.3)": self.jwt(aud=[self.audience, "https://other.example"]),
            "with a path in the id of its resource": self.jwt(xms_mirid=forged),
            "with a resource of no subscription": self.jwt(xms_mirid=self.mirid.removeprefix("/subscriptions")),
        }
