"""What the operator says of Google's tokens: for whom they must be, and whose service accounts are meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import AfterValidator, model_validator

from cambist import Expected, Field, Shape
from cambist.jwts import Jwts
from cambist.trusted_issuer import TrustedIssuer, check_no_issuer_twice

from .account import is_account, is_id

GOOGLE = "https://accounts.google.com"
LIFETIME = 3600
"""The longest that an identity token of Google lives, and that Google lets an account sign for, in seconds."""


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError("must be the numeric unique id of a service account")
    return text


def _email(text: str) -> str:
    if not is_account(text):
        raise ValueError("must be the address of a service account, which ends in gserviceaccount.com")
    return text


class SelfSigned(Shape):
    """An account that signs JWTs with a key of its own. They name it by its address, so its id is said here."""

    email: Annotated[str, AfterValidator(_email)] = Field(description="The address of the account: `iss` and `sub` of its JWTs.")
    id: Annotated[str, AfterValidator(_id)] = Field(description="The numeric unique id of the account: whom its JWTs are about.")
    jwks_url: str | None = Field(None, description="Where its keys are published, in place of Google's page for the account.")

    def trusted(self, audience: tuple[str, ...]) -> TrustedIssuer:
        url = self.jwks_url or f"https://www.googleapis.com/service_accounts/v1/jwk/{quote(self.email, safe='@')}"
        return TrustedIssuer(issuer=self.email, jwks_url=url, algorithms=("RS256",), audience=audience, max_lifetime=LIFETIME)


class GcpSettings(Shape):
    """Whose service accounts are accepted. Google signs for everybody, so at least one list says whom."""

    audience: tuple[str, ...] = Field(min_length=1, description="Audiences: a token must be for one of them, and for no other.")
    projects: tuple[str, ...] = Field((), description="Ids or numbers of projects: their accounts are accepted, on their machines.")
    accounts: tuple[Annotated[str, AfterValidator(_id)], ...] = Field(
        (), description="Numeric unique ids of accounts that are accepted, wherever they run."
    )
    self_signed: tuple[SelfSigned, ...] = Field((), description="Accounts that sign JWTs themselves, one table for each.")
    jwks_url: str = Field("https://www.googleapis.com/oauth2/v3/certs", description="Where Google's keys are published.")

    def expected(self, jwts: Jwts) -> Mapping[str, Expected]:
        """What tokens must be, by their issuer. Raises Unavailable when keys cannot be used."""
        return {trusted.issuer: trusted.expected(jwts, "JWT") for trusted in self._trusted()}

    def _trusted(self) -> tuple[TrustedIssuer, ...]:
        google = TrustedIssuer(issuer=GOOGLE, jwks_url=self.jwks_url, algorithms=("RS256",), audience=self.audience, max_lifetime=LIFETIME)
        return (google, *(account.trusted(self.audience) for account in self.self_signed))

    @model_validator(mode="after")
    def _somebody_is_meant(self) -> Self:
        # Google signs for every account of every customer: without this, a free trial is all that it takes.
        if not (self.projects or self.accounts or self.self_signed):
            raise ValueError("Google signs for everybody: say by projects, accounts or self_signed whose tokens are meant")
        check_no_issuer_twice(self._trusted())
        return self
