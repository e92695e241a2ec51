"""Judges JWTs: finds the issuer's entry, and says what is expected of its tokens."""

from __future__ import annotations

from cambist import Credential, Identity, Proven, Unverified
from cambist.jwts import Jwts
from cambist.service_account import facts
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
        verified = await self._jwts.verify(credential.token, self._expected)
        issuer = verified.expected.issuer
        if self._entries[issuer].preset == "kubernetes":
            attributes = {**verified.claims, **facts(verified.claims)}
            return verified.proven(identity=Identity(issuer=issuer, subject=verified.subject, attributes=attributes))
        return verified.proven()
