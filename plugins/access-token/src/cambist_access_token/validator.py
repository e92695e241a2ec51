"""Judges access tokens: by the entry of the issuer that one names, or by whom is asked about those that name none."""

from __future__ import annotations

from cambist import Credential, CredentialMalformed, Proven, Unverified, Verified
from cambist.clock import Clock
from cambist.egress import Egress
from cambist.introspection import Introspected
from cambist.jwts import Jwts
from cambist.token_kind import ACCESS, check_kind
from cambist.token_type import ACCESS_TOKEN

from .settings import AccessTokenSettings


class NamedTokens:
    """Takes JWTs of the issuers that are listed."""

    token_types = frozenset({ACCESS_TOKEN})

    def __init__(self, settings: AccessTokenSettings, http: Egress, jwts: Jwts, clock: Clock) -> None:
        self._jwts = jwts
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
        verified = await self._jwts.verify(credential.token, self._expected)
        return proven(verified)


class OpaqueTokens:
    """Takes tokens that name no issuer, and asks the one that knows them."""

    token_types = frozenset({ACCESS_TOKEN})
    issuers = None

    def __init__(self, introspected: Introspected) -> None:
        self._introspected = introspected

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer is None

    async def validate(self, credential: Credential) -> Proven:
        return proven(await self._introspected.verified(credential.token))


def proven(verified: Verified) -> Proven:
    """Without a scope nothing was granted, so nothing is proved."""
    check_kind(ACCESS, verified.claims)
    return verified.proven() if "scope" in verified.claims else verified.proven(scope=_listed_scope(verified))


def _listed_scope(verified: Verified) -> frozenset[str]:
    """Some issuers older than RFC 9068 write a list that is called scp."""
    listed = verified.claims.get("scp", ())
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise CredentialMalformed("scp is not a list of texts")
    return frozenset(listed)
