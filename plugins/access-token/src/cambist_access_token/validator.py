"""Judges access tokens: by the entry of the issuer that one names, or by whom is asked about those that name none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cambist import Credential, CredentialMalformed, Proven, Refusal, Unverified, Verified
from cambist.check import Check, Sample, Source, Trust
from cambist.clock import Clock
from cambist.egress import Egress
from cambist.introspection import Introspected
from cambist.issuer_check import Published
from cambist.jwts import Expected, Jwts
from cambist.token_check import Rule, claims, examined
from cambist.token_kind import ACCESS, check_kind
from cambist.token_type import ACCESS_TOKEN

from .settings import AccessTokenIssuer, AccessTokenSettings


class NamedTokens:
    """Takes JWTs of the issuers that are listed."""

    token_types = frozenset({ACCESS_TOKEN})

    def __init__(self, settings: AccessTokenSettings, http: Egress, jwts: Jwts, clock: Clock) -> None:
        self._jwts, self._settings = jwts, settings
        self._expected = {entry.issuer: entry.expected(jwts, *entry.types, subject=entry.subject) for entry in settings.issuers}
        self.asked = {
            entry.issuer: Introspected(self._expected[entry.issuer], entry.introspection, http, jwts, clock)
            for entry in settings.issuers
            if entry.introspection
        }
        self.issuers = frozenset(self._expected)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self.issuers

    async def validate(self, credential: Credential) -> Proven:
        issuer = credential.unverified().issuer if self.asked else None
        if issuer is not None and issuer in self.asked:
            return proven(await self.asked[issuer].verified(credential.token))
        verified = await self._jwts.verify(credential, self._expected)
        return proven(verified)

    @property
    def trusts(self) -> Sequence[Trust]:
        return [Trust(issuer=entry.issuer, sources=list(self._sources(entry))) for entry in self._settings.issuers]

    def _sources(self, entry: AccessTokenIssuer) -> Iterator[Source]:
        if entry.has_keys:
            yield Published(self._expected[entry.issuer])
        if entry.issuer in self.asked:
            yield self.asked[entry.issuer]

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        issuer = sample.issuer or sample.credential.unverified().issuer
        if issuer is not None and issuer in self.asked:
            return await answered(self._jwts, sample, self.asked[issuer])
        return await examined(self._jwts, sample, self._expected, rules)


class OpaqueTokens:
    """Takes tokens that name no issuer, and asks the one that knows them."""

    token_types = frozenset({ACCESS_TOKEN})
    issuers = None

    trusts: Sequence[Trust] = ()
    """Whom it asks is among those that NamedTokens trusts."""

    def __init__(self, introspected: Introspected, jwts: Jwts) -> None:
        self._introspected, self._jwts = introspected, jwts

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer is None

    async def validate(self, credential: Credential) -> Proven:
        return proven(await self._introspected.verified(credential.token))

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        return await answered(self._jwts, sample, self._introspected)


async def answered(jwts: Jwts, sample: Sample, introspected: Introspected) -> Sequence[Check]:
    """The checks of what the issuer says of a token."""
    try:
        verified = await introspected.told(sample.credential.token)
    except Refusal as refusal:
        return [Check.refused("introspection", refusal)]
    return [Check.passed("introspection", "its issuer calls it active"), *claims(jwts, sample, verified, rules)]


def rules(expected: Expected) -> Iterator[Rule]:
    yield "kind", lambda verified: check_kind(ACCESS, verified.claims)
    yield "scope", _scope


def proven(verified: Verified) -> Proven:
    """Without a scope nothing was granted, so nothing is proved."""
    check_kind(ACCESS, verified.claims)
    return verified.proven(scope=_scope(verified))


def _scope(verified: Verified) -> frozenset[str]:
    """Some issuers older than RFC 9068 write a list that is called scp."""
    if (told := verified.text("scope")) is not None:
        return frozenset(told.split())
    listed = verified.claims.get("scp", ())
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise CredentialMalformed("scp is not a list of texts")
    return frozenset(listed)
