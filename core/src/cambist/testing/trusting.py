"""A validator for tests, offered as a plugin would offer it: it takes the JWTs of forges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..credential import Credential, Unverified
from ..errors import IssuerNotTrusted
from ..hooks import ZoneHost, hookimpl
from ..identity import Proven
from ..jwts import Expected, Jwts
from ..token_type import JWT
from ..validator import Validator
from .forge import Forge


class Trusting:
    """Trusts forges, in all zones or in one; `more` replaces bounds of every proof. It is its own plugin module."""

    def __init__(self, *forges: Forge, zone: str | None = None, may_delegate: bool = True, **more: Any) -> None:
        self.forges, self.zone, self.may_delegate, self.more = forges, zone, may_delegate, more

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        if self.zone in (None, host.zone.id):
            yield ForgeValidator(self, host.jwts)


class ForgeValidator:
    """Judges in one zone what the forges have signed."""

    token_types = frozenset({JWT})

    def __init__(self, trust: Trusting, jwts: Jwts) -> None:
        self._trust, self._jwts = trust, jwts
        self.issuers = frozenset(forge.issuer for forge in trust.forges)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self.issuers

    async def validate(self, credential: Credential) -> Proven:
        issuer = credential.unverified().issuer
        forge = next((forge for forge in self._trust.forges if forge.issuer == issuer), None)
        if forge is None:
            raise IssuerNotTrusted(seen=issuer)
        expected = Expected(
            issuer=forge.issuer,
            keys=self._jwts.keys(forge.issuer, jwks=forge.jwks),
            algorithms=frozenset({forge.algorithm}),
            may_delegate=self._trust.may_delegate,
        )
        verified = await self._jwts.verify(credential, expected)
        return verified.proven(**self._trust.more)
