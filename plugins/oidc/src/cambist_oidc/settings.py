"""What the operator says of each issuer of ID tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from cambist import Field, Secret, Shape
from cambist.preset import Preset, presets
from cambist.trusted_issuer import TrustedIssuer, check_no_issuer_twice

PRESETS = presets("cambist_oidc")
PLAIN = Preset()
"""OpenID Connect Core 1.0, and nothing beyond it."""


def _known(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"must be one of {', '.join(PRESETS)}")
    return name


class OidcIssuer(TrustedIssuer):
    """One issuer of ID tokens. Its keys come from exactly one place; without any, from its discovery document."""

    audience: tuple[str, ...] = Field(min_length=1, description="Audiences, such as client ids: its tokens must be for one of them.")
    preset: Annotated[str, AfterValidator(_known)] | None = Field(None, description=f"What kind of issuer it is: {', '.join(PRESETS)}.")
    only: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {}, description="Claims that must have one of these values."
    )
    subject: tuple[str, ...] = Field((), description="Ids that make up the subject, in place of the preset's, or of `sub`.")
    names: Mapping[str, tuple[str, ...]] = Field(
        {}, description="More names for the policy, each with the path to the claim it stands for."
    )
    pull_requests: bool = Field(False, description="Accept runs that a proposed change has caused.")
    several_audiences: bool = Field(False, description="Accept tokens with several audiences, if `azp` names a client that is accepted.")
    parties: tuple[str, ...] = Field((), description="Clients that `azp` may name, in place of the audiences.")
    nonce: Secret | None = Field(None, description="The `nonce` that its tokens must carry.")

    @property
    def kind(self) -> Preset:
        """The preset, with what this entry changes of it."""
        preset = PRESETS[self.preset] if self.preset else PLAIN
        return preset.model_copy(update={"names": {**preset.names, **self.names}, "subject": self.subject or preset.subject})

    @model_validator(mode="before")
    @classmethod
    def _shared_issuer(cls, table: Any) -> Any:
        preset = PRESETS.get(str(table.get("preset"))) if isinstance(table, dict) else None
        return {"issuer": preset.issuer, **table} if preset and preset.issuer else table

    @model_validator(mode="after")
    def _tenants_are_named(self) -> Self:
        # Such an issuer signs for everybody who opens an account: without this, an account is all that it takes.
        tenants = self.kind.tenants
        if tenants and self.issuer == self.kind.issuer and not self.only.keys() & set(tenants):
            raise ValueError(f"this issuer signs for everybody: say by only.{' or only.'.join(tenants)} for whom it is trusted")
        return self


class OidcSettings(Shape):
    """The trusted issuers."""

    issuers: tuple[OidcIssuer, ...] = Field(min_length=1, description="One table for each trusted issuer.")

    @model_validator(mode="after")
    def _no_issuer_twice(self) -> Self:
        check_no_issuer_twice(self.issuers)
        return self
