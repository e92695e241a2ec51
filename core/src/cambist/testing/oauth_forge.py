"""Issuers of the test's own for ID tokens and for access tokens: good ones, and those that are nearly one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .forge import ABSENT, Forge


class IdTokenForge(Forge):
    """Signs ID tokens, as OpenID Connect Core section 2 has them, for the client `audience`."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        return super().claims(**{"azp": self.audience, **changes})

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        other = "another-client"
        return super().wrong(folder) | {
            "of another client (OpenID Connect Core section 3.1.3.7)": self.jwt(aud=other, azp=other),
            "issued to another client (OpenID Connect Core section 3.1.3.7: azp)": self.jwt(azp=other),
            "for another client too (OpenID Connect Core section 3.1.3.7)": self.jwt(aud=[self.audience, other], azp=self.audience),
            "not saying when it was issued (OpenID Connect Core section 2: iat)": self.jwt(iat=ABSENT),
            "of an issuer with a slash more (OpenID Connect Core section 3.1.3.7)": self.jwt(iss=f"{self.issuer}/"),
            "an access token (RFC 9068 section 2.1)": self.jwt({"typ": "at+jwt"}, client_id=other, scope="read"),
            "an access token by its scope (RFC 9068 section 2.2.3)": self.jwt(scope="openid"),
            "an access token by its claim typ, as Keycloak writes them": self.jwt(typ="Bearer"),
            "a logout token (OpenID Connect Back-Channel Logout section 2.4)": self.jwt(events={"logout": {}}),
        }


class AccessTokenForge(Forge):
    """Signs access tokens, as RFC 9068 section 2 has them, for the resource `audience`."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        return super().claims(**{"client_id": "client-1", "scope": "read", **changes})

    def jwt(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        return super().jwt({"typ": "at+jwt", **(header or {})}, **changes)

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        return super().wrong(folder) | {
            "of an issuer with a slash more (RFC 9068 section 4)": self.jwt(iss=f"{self.issuer}/"),
            "an ID token (RFC 9068 section 2.1)": self.jwt({"typ": "JWT"}, nonce="n", scope=ABSENT),
            "an ID token by its nonce (OpenID Connect Core section 2)": self.jwt(nonce="n", scope=ABSENT),
            "an ID token by its claim typ, as Keycloak writes them": self.jwt(typ="ID"),
            "a refresh token by its claim typ, as Keycloak writes them": self.jwt(typ="Refresh"),
        }
