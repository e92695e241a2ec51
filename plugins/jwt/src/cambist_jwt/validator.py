"""Judges JWTs: finds the issuer's entry, and says what is expected of its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cambist import Credential, Identity, Proven, Unverified
from cambist.check import Check, Sample, Trust
from cambist.issuer_check import trusts
from cambist.jwts import Expected, Jwts
from cambist.service_account import facts
from cambist.token_check import Rule, examined
from cambist.token_type import JWT

from .settings import JwtSettings


class JwtValidator:
    """Takes JWTs of the issuers that are listed."""

    token_types = frozenset({JWT})

    def __init__(self, settings: JwtSettings, jwts: Jwts) -> None:
        self._jwts = jwts
        self._entries = {entry.issuer: entry for entry in settings.issuers}
        self._expected = {entry.issuer: entry.expected(jwts, *entry.types) for entry in settings.issuers}
        self.issuers = frozenset(self._entries)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._entries

    async def validate(self, credential: Credential) -> Proven:
        verified = await self._jwts.verify(credential, self._expected)
        issuer = verified.expected.issuer
        if self._entries[issuer].preset == "kubernetes":
            attributes = {**verified.claims, **facts(verified.claims)}
            return verified.proven(identity=Identity(issuer=issuer, subject=verified.subject, attributes=attributes))
        return verified.proven()

    @property
    def trusts(self) -> Sequence[Trust]:
        return trusts(self._expected)

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        return await examined(self._jwts, sample, self._expected, self._rules)

    def _rules(self, expected: Expected) -> Iterator[Rule]:
        if self._entries[expected.issuer].preset == "kubernetes":
            yield "kubernetes", lambda verified: facts(verified.claims)
