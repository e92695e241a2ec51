"""Whether a token is good at one API: its issuer, zone, audience, kind, times and signature, and what it is bound to."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection
from functools import partial

import httpx

from ..clock import Clock
from ..egress import allowed
from ..errors import Refusal, Unavailable
from ..jwk import ASYMMETRIC, undeclared
from ..jwks import HARD_AGE, RemoteKeys
from ..jwts import Jwts
from ..verified import AT_JWT, Expected, Verified
from . import published
from .execution import Action, check
from .refused import KeysUnavailable, SpentUnavailable, TokenRefused
from .spent import Spent
from .token import VerifiedToken

log = logging.getLogger(__name__)

ALGORITHMS = ("ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519")
"""What the keys of a service can be made for."""
MAX_TOKEN = 8192
"""Characters of a token that is looked at; the service issues none above 4,096."""


class Verifier:
    """Verifies tokens of one zone of one issuer for one API. Everything about them is said here; a token chooses nothing.

    Keys are found by the issuer's metadata, or at `jwks_url`; they are fetched once for all who wait, kept as long as the issuer
    says (5 minutes at the most), fetched anew for a key that is unknown (once in a minute at the most), and believed for
    `keys_kept` seconds while the issuer cannot be reached. `http` is a client of your own, for certificates or a proxy;
    it is not closed here. With `spent`, tokens with an execution scope can be accepted, each once.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Collection[str],
        zone: str | None = None,
        jwks_url: str | None = None,
        algorithms: Collection[str] = ALGORITHMS,
        http: httpx.AsyncClient | None = None,
        spent: Spent | None = None,
        keys_kept: float = HARD_AGE,
        clock: Clock = time.time,
    ) -> None:
        self.issuer, self.zone = issuer, zone or "default"
        self.audience = frozenset([audience] if isinstance(audience, str) else audience)
        self._spent = spent
        _check_settings(self, jwks_url, algorithms)
        fetching = published.Fetching(http or published.client())
        keys = RemoteKeys(
            fetching,
            clock,
            issuer=issuer,
            jwks_url=jwks_url,
            locate=partial(published.located, zone=self.zone),
            rsa=undeclared(algorithms),
            kept=keys_kept,
        )
        self._jwts = Jwts(fetching, clock)
        self._expected = Expected(issuer=issuer, keys=keys, algorithms=frozenset(algorithms), types=frozenset({AT_JWT}), may_delegate=True)

    async def verify(self, token: str, *, scope: Collection[str] = (), action: Action | None = None) -> VerifiedToken:
        """`scope` is what the token must allow; `action` the request that it came with.

        Raises TokenRefused when it is not good here, CannotVerify when that cannot be told.
        """
        verified = await self._signed(token)
        try:
            found = _read(verified, self.zone)
        except Refusal as refusal:
            raise TokenRefused.of(refusal) from refusal
        if not found.audience & self.audience:
            raise TokenRefused(
                "audience_mismatch", "The token is for somebody else", expected=sorted(self.audience), seen=sorted(found.audience)
            )
        if missing := set(scope) - found.scope:
            said = "The token does not allow this"
            raise TokenRefused("scope_insufficient", said, expected=sorted(missing), seen=sorted(found.scope))
        await self._check_bindings(found, action)
        return found

    async def _signed(self, token: str) -> Verified:
        if len(token) > MAX_TOKEN:
            raise TokenRefused("credential_too_large", "The token is too long", expected=MAX_TOKEN, seen=len(token))
        try:
            return await self._jwts.verify(token, self._expected)
        except Unavailable as error:
            log.warning("no token of %s can be verified: %s", self.issuer, error.facts.get("cause") or error.said)
            raise KeysUnavailable(f"the keys of {self.issuer} cannot be fetched") from error
        except Refusal as refusal:
            raise TokenRefused.of(refusal) from refusal

    async def _check_bindings(self, token: VerifiedToken, action: Action | None) -> None:
        """What is bound is no bearer token: it is refused where nobody checks what it is bound to (RFC 7800, RFC 9449 section 7)."""
        if "cnf" in token.claims:
            raise TokenRefused("possession_missing", "The token is bound to a key, and this API does not ask who holds it")
        if "exec" not in token.claims:
            return
        if action is None or self._spent is None:
            said = "The token is for one HTTP request, and this API does not check for which"
            raise TokenRefused("execution_scope_unchecked", said)
        await check(token.claims["exec"], action)
        await self._spend(token, self._spent)

    async def _spend(self, token: VerifiedToken, spent: Spent) -> None:
        """Last, so that a token is not used up by a request that is refused for something else."""
        name = hashlib.sha256("\0".join((token.issuer, token.zone, token.token_id)).encode()).hexdigest()
        try:
            first = await spent.spend(name, token.expires_at)
        except Exception as error:
            log.exception("the store of spent tokens does not answer")
            raise SpentUnavailable("it cannot be told whether the token was used before") from error
        if first is not True:
            raise TokenRefused("replayed", "The token was used before, and is good for one request")


def _check_settings(verifier: Verifier, jwks_url: str | None, algorithms: Collection[str]) -> None:
    """Raises ValueError for what could not verify anything, or anything at all."""
    for name, url in (("issuer", verifier.issuer), ("jwks_url", jwks_url)):
        try:
            allowed(url or verifier.issuer)
        except Unavailable as error:
            raise ValueError(f"{name}: {error.facts['cause']}") from error
    if not verifier.audience or not all(verifier.audience):
        raise ValueError("audience: say for whom tokens must be")
    if isinstance(algorithms, str) or not algorithms or not ASYMMETRIC.issuperset(algorithms):
        raise ValueError(f"algorithms: some of {', '.join(sorted(ASYMMETRIC))}")


def _read(verified: Verified, zone: str) -> VerifiedToken:
    """The claims as RFC 9068 section 2.2 has them, of one zone. Raises Refusal, TokenRefused."""
    needed = {name: verified.text(name) for name in ("jti", "client_id", "zone_id")}
    if missing := sorted(name for name, value in needed.items() if not value):
        raise TokenRefused("claim_missing", "A claim that every token of this issuer has is missing", expected=missing)
    if needed["zone_id"] != zone:
        raise TokenRefused("zone_mismatch", "The token is of another zone", expected=zone, seen=needed["zone_id"])
    issuer = verified.expected.issuer
    if any(actor.issuer != issuer for actor in verified.chain):
        raise TokenRefused("credential_malformed", "The token names an actor of another issuer")
    return VerifiedToken(
        issuer=issuer,
        zone=zone,
        subject=verified.subject,
        actors=tuple(actor.subject for actor in verified.chain),
        client_id=str(needed["client_id"]),
        audience=verified.audience,
        scope=frozenset((verified.text("scope") or "").split()),
        expires_at=verified.expires_at,
        token_id=str(needed["jti"]),
        claims=verified.claims,
    )
