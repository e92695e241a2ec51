"""What the operator says of each trusted issuer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from cambist import Field, Shape, Unavailable
from cambist.egress import allowed

Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"]


class Issuer(Shape):
    """One trusted issuer. Its keys come from exactly one place; without any, from its discovery document."""

    issuer: str = Field(min_length=1, description="The issuer, letter by letter as in `iss`.")
    jwks_url: str | None = Field(None, description="Where its keys are published.")
    jwks_file: Path | None = Field(None, description="A file with its keys, read again when it changes.")
    jwks: dict[str, Any] | None = Field(None, description="Its keys, as a JWK set.")
    algorithms: tuple[Algorithm, ...] = Field(
        ("ES256", "RS256", "PS256", "EdDSA", "Ed25519"), min_length=1, description="Signature algorithms it may use."
    )
    audience: tuple[str, ...] = Field((), description="Audiences its tokens must have one of, in place of the zone's issuer.")
    types: tuple[str, ...] = Field(
        ("JWT", "at+jwt"), min_length=1, description="Values of `typ` that are accepted; an absent one counts as `JWT`."
    )
    leeway: float = Field(60, ge=0, le=300, description="How far its clock may be ahead of ours, in seconds.")
    max_lifetime: float = Field(86_400, gt=0, description="The longest lifetime that its tokens may have, in seconds.")
    delegation: bool = Field(False, description="Believe the chains of actors (`act`) that it asserts.")
    preset: Literal["kubernetes"] | None = Field(None, description="Read the claims as this kind of issuer writes them.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.jwks_url, self.jwks_file, self.jwks)) > 1:
            raise ValueError("give one of jwks_url, jwks_file and jwks")
        return self

    @model_validator(mode="after")
    def _source_can_be_asked(self) -> Self:
        if self.jwks_file is None and self.jwks is None:
            _check_url(self.jwks_url or self.issuer, "jwks_url" if self.jwks_url else "issuer, whose discovery document is asked for keys")
        return self


def _check_url(url: str, what: str) -> None:
    try:
        allowed(url)
    except Unavailable as error:
        raise ValueError(f"{what}: {error.facts['cause']}") from error


class JwtSettings(Shape):
    """The trusted issuers."""

    issuers: tuple[Issuer, ...] = Field(min_length=1, description="One table for each trusted issuer.")

    @model_validator(mode="after")
    def _no_issuer_twice(self) -> Self:
        names = [entry.issuer for entry in self.issuers]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"an issuer is listed twice: {', '.join(sorted(repeated))}")
        return self
