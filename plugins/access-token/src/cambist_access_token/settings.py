"""What the operator says of each issuer of access tokens."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from cambist import Field, Shape
from cambist.introspection import Introspection
from cambist.trusted_issuer import TrustedIssuer, check_no_issuer_twice


class AccessTokenIssuer(TrustedIssuer):
    """One issuer of access tokens: they are JWTs, verified with its keys, unless it is asked about each."""

    audience: tuple[str, ...] = Field(min_length=1, description="Audiences, such as resources: its tokens must be for one of them.")
    types: tuple[str, ...] = Field(
        ("at+jwt",), min_length=1, description="Values of `typ` that are accepted; `JWT` for issuers older than RFC 9068."
    )
    subject: Literal["sub", "client_id"] = Field("sub", description="The claim that names whom a token is about.")
    introspection: Introspection | None = Field(None, description="Ask it about each token, in place of verifying with its keys.")

    @property
    def has_keys(self) -> bool:
        return self.introspection is None or self.introspection.signed

    @model_validator(mode="after")
    def _keys_have_a_use(self) -> Self:
        if not self.has_keys and (self.jwks_url or self.jwks_file or self.jwks is not None):
            raise ValueError("an issuer that is asked about each token needs keys only for signed answers")
        return self


class AccessTokenSettings(Shape):
    """The trusted issuers."""

    issuers: tuple[AccessTokenIssuer, ...] = Field(min_length=1, description="One table for each trusted issuer.")

    @property
    def opaque(self) -> AccessTokenIssuer | None:
        """The issuer that is asked about tokens that name none."""
        return next((entry for entry in self.issuers if entry.introspection and entry.introspection.opaque), None)

    @model_validator(mode="after")
    def _each_token_has_one_issuer(self) -> Self:
        check_no_issuer_twice(self.issuers)
        opaque = [entry.issuer for entry in self.issuers if entry.introspection and entry.introspection.opaque]
        if len(opaque) > 1:
            raise ValueError(f"tokens that name no issuer: give all but one of {', '.join(opaque)} introspection.opaque = false")
        return self
