"""Judges ID tokens: what OpenID Connect Core section 3.1.3.7 asks of whoever receives one."""

from __future__ import annotations

from cambist import AudienceMismatch, Credential, CredentialMalformed, Identity, Proven, Secret, Unverified
from cambist.claims import Claims
from cambist.errors import AudienceNotSole, NonceMismatch, PartyMismatch
from cambist.jwts import Jwts
from cambist.token_kind import ID, check_kind
from cambist.token_type import ID_TOKEN

from .settings import OidcIssuer, OidcSettings


class OidcValidator:
    """Takes ID tokens of the issuers that are listed."""

    token_types = frozenset({ID_TOKEN})

    def __init__(self, settings: OidcSettings, jwts: Jwts) -> None:
        self._jwts = jwts
        self._expected = {entry.issuer: entry.expected(jwts, "JWT") for entry in settings.issuers}
        self._entries = {entry.issuer: (entry, _reading(entry)) for entry in settings.issuers}
        self.issuers = frozenset(self._entries)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._entries

    async def validate(self, credential: Credential) -> Proven:
        verified = await self._jwts.verify(credential.token, self._expected)
        entry, reading = self._entries[verified.expected.issuer]
        check_kind(ID, verified.claims)
        if "iat" not in verified.claims:
            raise CredentialMalformed("an ID token says in iat when it was issued")
        _check_party(entry, verified.audience, verified.text("azp"))
        _check_nonce(entry.nonce, verified.text("nonce"))
        subject, facts = reading.read(verified.claims)
        return verified.proven(identity=Identity(issuer=entry.issuer, subject=subject, attributes=facts))


def _reading(entry: OidcIssuer) -> Claims:
    return Claims(entry.issuer, entry.kind, only=entry.only, proposals=entry.pull_requests)


def _check_party(entry: OidcIssuer, audience: frozenset[str], party: str | None) -> None:
    if audience.isdisjoint(entry.audience):
        raise AudienceMismatch(expected=sorted(entry.audience), seen=sorted(audience))
    several = len(audience) > 1
    if several and not entry.several_audiences:
        raise AudienceNotSole(expected=sorted(entry.audience), seen=sorted(audience))
    if (several or party is not None) and party not in (accepted := entry.parties or entry.audience):
        raise PartyMismatch(expected=sorted(accepted), seen=party)


def _check_nonce(expected: Secret | None, seen: str | None) -> None:
    if expected is not None and expected != Secret(seen or ""):
        raise NonceMismatch()
