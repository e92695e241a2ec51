"""Tokens that this very zone issued, taken as subject or actor, and only to narrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .credential import Credential, Unverified
from .errors import Rejected
from .identity import Proven
from .jwk import KeySet, PublicKey
from .jwts import Expected, Jwts
from .keys import KeyStore
from .token_type import ACCESS_TOKEN, JWT
from .verified import AT_JWT
from .zone import Zone


@dataclass(slots=True)
class PublishedKeys:
    """The keys that a zone itself publishes; read anew only when they are others than before."""

    store: KeyStore
    zone_id: str
    _published: tuple[Mapping[str, Any], ...] = ()
    _keys: KeySet = field(default_factory=lambda: KeySet(()))

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        published = tuple(await self.store.published(self.zone_id))
        if published != self._published:
            self._published, self._keys = published, KeySet.of({"keys": list(published)})
        return self._keys.find(kid, algorithm)


class OwnTokenValidator:
    """Judges tokens of its own zone. Identity, chain and transaction carry over, so a hop adds to the story and never rewrites it."""

    token_types = frozenset({JWT, ACCESS_TOKEN})

    def __init__(self, zone: Zone, keys: KeyStore, jwts: Jwts) -> None:
        self._zone, self._jwts = zone, jwts
        self.issuers = frozenset({zone.issuer})
        self._expected = Expected(
            issuer=zone.issuer,
            keys=PublishedKeys(keys, zone.id),
            algorithms=frozenset({"ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"}),
            types=frozenset({AT_JWT}),
            may_delegate=True,
        )

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer == self._zone.issuer

    async def validate(self, credential: Credential) -> Proven:
        verified = await self._jwts.verify(credential, self._expected)
        if "exec" in verified.claims:
            # It is for one HTTP action. Another token in its place would be for more.
            raise Rejected("a token with an execution scope is not exchanged")
        scope = frozenset((verified.text("scope") or "").split())
        return verified.proven(scope=scope, transaction=verified.text("txn"))
