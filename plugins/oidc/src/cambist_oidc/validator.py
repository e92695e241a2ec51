"""Judges ID tokens: what OpenID Connect Core section 3.1.3.7 asks of whoever receives one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from cambist import AudienceMismatch, Credential, CredentialMalformed, Identity, Proven, Secret, Unverified, Verified
from cambist.check import Check, Sample, Trust
from cambist.claims import Claims
from cambist.errors import AudienceNotSole, NonceMismatch, PartyMismatch
from cambist.issuer_check import trusts
from cambist.jwts import Expected, Jwts
from cambist.token_check import Rule, examined
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
        verified = await self._jwts.verify(credential, self._expected)
        entry, reading = self._entries[verified.expected.issuer]
        check_kind(ID, verified.claims)
        _check_issued(verified)
        _check_audience(entry, verified.audience)
        _check_party(entry, verified.audience, verified.text("azp"))
        _check_nonce(entry.nonce, verified.text("nonce"))
        subject, facts = reading.read(verified.claims)
        return verified.proven(identity=Identity(issuer=entry.issuer, subject=subject, attributes=facts))

    @property
    def trusts(self) -> Sequence[Trust]:
        return trusts(self._expected)

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        return await examined(self._jwts, sample, self._expected, self._rules)

    def _rules(self, expected: Expected) -> Iterator[Rule]:
        """What is asked beyond what every JWT must be; of the claims each by itself."""
        entry, _ = self._entries[expected.issuer]
        quiet = entry.kind.model_copy(update={"name": ""})  # `subject` alone says what has changed
        yield "kind", lambda verified: check_kind(ID, verified.claims)
        yield "issued", _check_issued
        yield "party", lambda verified: _check_party(entry, verified.audience, verified.text("azp"))
        yield "nonce", lambda verified: _check_nonce(entry.nonce, verified.text("nonce"))
        for name, values in entry.only.items():
            yield f"only.{name}", partial(_read, Claims(entry.issuer, quiet, only={name: values}))
        if entry.kind.proposed:
            yield "change", partial(_read, Claims(entry.issuer, quiet, only={}, proposals=entry.pull_requests))
        yield "subject", partial(_read, Claims(entry.issuer, entry.kind, only={}))


def _read(reading: Claims, verified: Verified) -> None:
    reading.read(verified.claims)


def _check_issued(verified: Verified) -> None:
    if "iat" not in verified.claims:
        raise CredentialMalformed("an ID token says in iat when it was issued")


def _reading(entry: OidcIssuer) -> Claims:
    return Claims(entry.issuer, entry.kind, only=entry.only, proposals=entry.pull_requests)


def _check_audience(entry: OidcIssuer, audience: frozenset[str]) -> None:
    if audience.isdisjoint(entry.audience):
        raise AudienceMismatch(expected=sorted(entry.audience), seen=sorted(audience))


def _check_party(entry: OidcIssuer, audience: frozenset[str], party: str | None) -> None:
    several = len(audience) > 1
    if several and not entry.several_audiences:
        raise AudienceNotSole(expected=sorted(entry.audience), seen=sorted(audience))
    if (several or party is not None) and party not in (accepted := entry.parties or entry.audience):
        raise PartyMismatch(expected=sorted(accepted), seen=party)


def _check_nonce(expected: Secret | None, seen: str | None) -> None:
    if expected is not None and expected != Secret(seen or ""):
        raise NonceMismatch()
