"""An application proves itself by a JWT signed with its own key: `private_key_jwt` (RFC 7523 as updated by RFC 10070)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .credential import Credential, Unverified
from .errors import AlgorithmRefused, AudienceMismatch, CallerUnproved, CredentialMalformed, KeyUnknown, SignatureInvalid
from .identity import Identity, Proven
from .jwks import InlineKeys
from .jwts import PLAIN, Expected, Jwts
from .zone import Application, Zone

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES = PLAIN | {"client-authentication+jwt"}
LEEWAY = 10.0
_NOBODY = InlineKeys({"keys": []})


class ClientAssertionValidator:
    """Judges client assertions: issuer and subject are the application, the audience is us alone, the id is used once."""

    token_types = frozenset({JWT_BEARER})
    issuers = None

    def __init__(self, zone: Zone, token_endpoint: str, jwts: Jwts) -> None:
        self._zone, self._token_endpoint, self._jwts = zone, token_endpoint, jwts
        self._expected = {name: self._expect(name, app, app.jwks) for name, app in zone.applications.items() if app.jwks is not None}

    def _expect(self, name: str, application: Application, jwks: Mapping[str, Any]) -> Expected:
        return Expected(
            issuer=name,
            keys=self._jwts.stated(name, InlineKeys(jwks, application.algorithms)),
            algorithms=frozenset(application.algorithms),
            types=TYPES,
            leeway=LEEWAY,
            grace=LEEWAY,
            max_lifetime=application.assertion_lifetime,
            audiences=frozenset({self._audience(application)}),
        )

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        name = credential.unverified().issuer
        if name is None:
            raise CallerUnproved()
        # Unknown applications go the same way, to the same answer, lest a stranger learns which there are.
        expected = self._expected.get(name) or Expected(issuer=name, keys=_NOBODY, algorithms=frozenset(), types=TYPES)
        try:
            verified = await self._jwts.verify(credential.token, expected)
        except (AlgorithmRefused, KeyUnknown, SignatureInvalid) as error:
            raise CallerUnproved(client_id=name, cause=error.reason) from error
        if verified.subject != name:
            raise CredentialMalformed("iss and sub of a client assertion are the application's id")
        self._check_audience(name, verified.claims["aud"])
        if not verified.text("jti"):
            raise CredentialMalformed("a client assertion needs a jti")
        identity = Identity(issuer=self._zone.issuer, subject=name)
        # It proves a key that is registered, not a permission that ends: it bounds nothing that is issued.
        return verified.proven(
            identity=identity,
            expires_at=math.inf,
            audience=None,
            scope=None,
            single_use_until=verified.expires_at + LEEWAY,
        )

    def _audience(self, application: Application) -> str:
        return self._token_endpoint if application.assertion_audience == "token_endpoint" else self._zone.issuer

    def _check_audience(self, name: str, audience: object) -> None:
        """RFC 10070: our issuer, as the only value, letter by letter; an assertion for several audiences is good at all of them."""
        wanted = self._audience(self._zone.applications[name])
        if audience not in (wanted, [wanted]):
            raise AudienceMismatch(expected=wanted, seen=audience)
