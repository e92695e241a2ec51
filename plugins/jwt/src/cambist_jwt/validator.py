"""Judges JWTs: finds the issuer's entry, and says what is expected of its tokens."""

from __future__ import annotations

from cambist import Credential, CredentialMalformed, Expected, Identity, Proven, Unverified
from cambist.jwts import Jwts, media_type
from cambist.token_type import JWT

from . import kubernetes
from .settings import Issuer, JwtSettings


class JwtValidator:
    """Takes JWTs of the issuers that are listed."""

    token_types = frozenset({JWT})

    def __init__(self, settings: JwtSettings, jwts: Jwts) -> None:
        self._jwts = jwts
        self._entries = {entry.issuer: entry for entry in settings.issuers}
        self._expected = {entry.issuer: _expected(entry, jwts) for entry in settings.issuers}
        self.issuers = frozenset(self._entries)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._entries

    async def validate(self, credential: Credential) -> Proven:
        issuer = credential.unverified().issuer
        if issuer is None or issuer not in self._entries:
            raise CredentialMalformed("a JWT names its issuer in iss")
        verified = await self._jwts.verify(credential.token, self._expected[issuer])
        if self._entries[issuer].preset == "kubernetes":
            attributes = {**verified.claims, **kubernetes.attributes(verified)}
            return verified.proven(identity=Identity(issuer=issuer, subject=verified.subject, attributes=attributes))
        return verified.proven()


def _expected(entry: Issuer, jwts: Jwts) -> Expected:
    return Expected(
        issuer=entry.issuer,
        keys=jwts.keys(entry.issuer, jwks=entry.jwks, file=entry.jwks_file, jwks_url=entry.jwks_url),
        algorithms=frozenset(entry.algorithms),
        types=frozenset(media_type(name) for name in entry.types),
        audiences=frozenset(entry.audience),
        leeway=entry.leeway,
        max_lifetime=entry.max_lifetime,
        may_delegate=entry.delegation,
    )
