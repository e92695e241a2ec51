"""What the operator says of each trusted issuer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from cambist import Field, Shape
from cambist.trusted_issuer import TrustedIssuer, check_no_issuer_twice


class Issuer(TrustedIssuer):
    """One trusted issuer. Its keys come from exactly one place; without any, from its discovery document."""

    types: tuple[str, ...] = Field(
        ("JWT", "at+jwt"), min_length=1, description="Values of `typ` that are accepted; an absent one counts as `JWT`."
    )
    preset: Literal["kubernetes"] | None = Field(None, description="Read the claims as this kind of issuer writes them.")


class JwtSettings(Shape):
    """The trusted issuers."""

    issuers: tuple[Issuer, ...] = Field(min_length=1, description="One table for each trusted issuer.")

    @model_validator(mode="after")
    def _no_issuer_twice(self) -> Self:
        check_no_issuer_twice(self.issuers)
        return self
