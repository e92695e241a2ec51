"""Judges the tokens of service accounts: who signed, for whom, and that it is a workload which an operator meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cambist import Credential, CredentialMalformed, Identity, Proven, Unverified, Verified
from cambist.check import Check, Sample, Trust
from cambist.claims import Claims
from cambist.errors import AudienceNotSole, ClaimNotAccepted, PlatformToken, UserToken
from cambist.issuer_check import trusts
from cambist.jwts import Expected, Jwts
from cambist.preset import presets
from cambist.token_check import Rule, examined
from cambist.token_type import OWN

from .account import is_account, is_id, project_of
from .settings import GOOGLE, GcpSettings, SelfSigned

GCP_IDENTITY = f"{OWN}gcp-identity-token"


class ServiceAccounts:
    """Takes what Google signs for service accounts, and what those of the settings sign themselves."""

    token_types = frozenset({GCP_IDENTITY})

    def __init__(self, settings: GcpSettings, jwts: Jwts) -> None:
        self._settings, self._jwts = settings, jwts
        self._expected = settings.expected(jwts)
        self._self_signed = {account.email: account for account in settings.self_signed}
        self._reading = Claims(GOOGLE, presets("cambist_gcp")["google"], only={})
        self.issuers = frozenset(self._expected)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._expected

    async def validate(self, credential: Credential) -> Proven:
        verified = await self._jwts.verify(credential, self._expected)
        _check_issued(verified)
        _check_audience(verified)
        return verified.proven(identity=self._identity(verified))

    @property
    def trusts(self) -> Sequence[Trust]:
        return trusts(self._expected)

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        return await examined(self._jwts, sample, self._expected, self._rules)

    def _rules(self, _: Expected) -> Iterator[Rule]:
        yield "issued", _check_issued
        yield "sole audience", _check_audience
        yield "account", self._identity

    def _identity(self, verified: Verified) -> Identity:
        account = self._self_signed.get(verified.expected.issuer)
        return self._signed_by_google(verified) if account is None else _signed_by(account, verified)

    def _signed_by_google(self, verified: Verified) -> Identity:
        email = _workload(verified)
        subject, facts = self._reading.read(verified.claims)
        if not is_id(subject):
            raise CredentialMalformed("sub is not the numeric id of an account")
        project = email and project_of(email)
        if subject not in self._settings.accounts:
            self._check_projects(project, facts)
        return Identity(issuer=GOOGLE, subject=subject, attributes={**facts, "account_project": project, "self_signed": False})

    def _check_projects(self, project: str | None, facts: Mapping[str, Any]) -> None:
        """An account can be lent to a machine of another project, where others rule; so both must be meant."""
        listed = self._settings.projects
        if project not in listed:
            raise ClaimNotAccepted(
                "neither the account is listed nor its project", expected={"projects": list(listed)}, seen=facts.get("email", facts["sub"])
            )
        places = [str(facts[name]) for name in ("project_id", "project_number") if name in facts]
        if places and not set(places) & set(listed):
            raise ClaimNotAccepted("the project of the machine is not listed", expected={"projects": list(listed)}, seen=places)


def _check_issued(verified: Verified) -> None:
    if "iat" not in verified.claims:
        raise CredentialMalformed("a token says in iat when it was issued")


def _check_audience(verified: Verified) -> None:
    if len(verified.audience) > 1:
        raise AudienceNotSole(expected=sorted(verified.expected.audiences), seen=sorted(verified.audience))


def _workload(verified: Verified) -> str | None:
    """The account's address, if it is told. Raises UserToken for a person: their tokens have the very same issuer."""
    email, party = verified.text("email"), verified.text("azp")
    if email is not None and not is_account(email):
        raise UserToken("email is not the address of a service account", seen=email)
    # A person's token is issued to the client that they logged in to, an account's to the account itself.
    if party not in ((verified.subject,) if email is None else (verified.subject, email)):
        raise UserToken("azp names a client that a person logs in to, and no account", seen=party)
    if email is not None and verified.claims.get("email_verified") is not True:
        raise ClaimNotAccepted("email_verified is not true", expected=[True], seen=verified.claims.get("email_verified"))
    return email


def _signed_by(account: SelfSigned, verified: Verified) -> Identity:
    """Whoever has the key writes what they like, so that nothing counts but whose key it is."""
    if verified.subject != account.email:
        raise ClaimNotAccepted("sub is not the account that signed it", expected=[account.email], seen=verified.subject)
    project = project_of(account.email)
    return Identity(issuer=GOOGLE, subject=account.id, attributes={"email": account.email, "account_project": project, "self_signed": True})


class Nameless:
    """Takes what names no issuer, and tells what it is: nothing of this can be proved."""

    token_types = frozenset({GCP_IDENTITY})
    issuers = None

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer is None

    async def validate(self, credential: Credential) -> Proven:
        # An access token has no audience: whoever got one to call Google with could use it here.
        if credential.token.startswith("ya29."):
            raise PlatformToken("an access token of Google, which begins with ya29., is for Google's own APIs")
        raise CredentialMalformed("an identity token is a JWT that names its issuer in iss")
