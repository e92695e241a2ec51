"""Asks an issuer about a token of its own (RFC 7662, RFC 9701), and believes the answer for a moment."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from . import client_proof, strictjson
from .check import Check
from .client_proof import Proof
from .clock import Clock
from .egress import Answer, Egress
from .errors import CredentialMalformed, Inactive, IssuerNotTrusted, KindMismatch, Refusal, Rejected, Unavailable
from .jwts import Expected, Jwts, Verified
from .secret import Secret
from .shape import Shape
from .trusted_issuer import check_url

MAX_KNOWN = 10_000
"""How many answers are kept."""
FRESH = 300.0
"""How old a signed answer may be, in seconds."""
JSON, SIGNED = "application/json", "application/token-introspection+jwt"
_SIGNED = frozenset({SIGNED.removeprefix("application/")})
NOBODYS = "cambist-trust-check"
"""A token that nobody issued: to ask about it tells whether one may ask."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class Introspection(Shape):
    """How an issuer is asked about its tokens, and what proves to it who asks."""

    url: str = Field(description="Its introspection endpoint.")
    client_id: str = Field(min_length=1, description="What this service is called there.")
    client_secret: Secret | None = Field(None, description="Its secret there.")
    client_key: Secret | None = Field(None, description="Its private key there, a JWK with `kid` and `alg`, in place of a secret.")
    authentication: Literal["basic", "post"] = Field("basic", description="Where the secret is sent: in `Authorization`, or in the form.")
    cache: float = Field(30, ge=0, le=300, description="How long an answer is believed, in seconds: so late is a revocation noticed.")
    signed: bool = Field(False, description="Ask for signed answers (RFC 9701), and believe no others.")
    opaque: bool = Field(True, description="Ask it about tokens that name no issuer.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        check_url(self.url, "url")
        if (self.client_secret is None) == (self.client_key is None):
            raise ValueError("give one of client_secret and client_key")
        return self

    def proof(self, issuer: str, clock: Clock) -> Callable[[], Proof]:
        if self.client_key is not None:
            return client_proof.private_key(self.client_id, self.client_key, issuer, clock)
        kind = client_proof.basic if self.authentication == "basic" else client_proof.post
        return kind(self.client_id, self.client_secret or Secret(""))


class Introspected:
    """One issuer that is asked about its tokens, of which this is expected. Raises Unavailable when its client key cannot be used."""

    def __init__(self, expected: Expected, how: Introspection, http: Egress, jwts: Jwts, clock: Clock) -> None:
        self._expected, self._issuer = replace(expected, types=_SIGNED), expected.issuer
        self._how, self._http, self._jwts, self._clock = how, http, jwts, clock
        self._proof = how.proof(expected.issuer, clock)
        self._known: dict[bytes, tuple[float, Verified]] = {}

    async def verified(self, token: str) -> Verified:
        """Raises Rejected in one of its kinds, IssuerNotTrusted, or Unavailable when the issuer gives no sound answer."""
        if not _TOKEN.fullmatch(token):
            raise CredentialMalformed("an access token is at most 16,384 printable ASCII characters")
        digest = hashlib.sha256(token.encode()).digest()
        until, known = self._known.get(digest, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        self._known.pop(digest, None)
        verified = self._jwts.told(await self._asked(token), self._expected)
        self._keep(digest, verified)
        return verified

    async def told(self, token: str) -> Verified:
        """What the issuer says of a token at this moment, before it is judged. Raises as `verified`."""
        return Verified(await self._asked(token), self._expected)

    async def look(self) -> Sequence[Check]:
        """Whether the issuer answers, and answers us: asked about a token that is nobody's."""
        try:
            await self._asked(NOBODYS)
        except Inactive:
            return [Check.passed("introspection", f"{self._how.url} answers {self._how.client_id!r}")]
        except Refusal as refusal:
            permitted = refusal.facts.get("status") in (400, 401, 403)
            hint = "It does not accept who asks: compare `client_id`, the secret or key, and `authentication`." if permitted else ""
            return [Check.refused("introspection", refusal, hint=hint)]
        return [Check.refused("introspection", self._unsound("it calls a token active that nobody issued"))]

    def _keep(self, digest: bytes, verified: Verified) -> None:
        """Never past the end of the token; what the issuer called inactive is asked about anew, for it may have been too early."""
        while len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[digest] = (min(self._clock() + self._how.cache, verified.expires_at), verified)

    async def _asked(self, token: str) -> Mapping[str, Any]:
        headers, form = self._proof()
        headers = {**headers, "accept": SIGNED if self._how.signed else JSON, "content-type": "application/x-www-form-urlencoded"}
        content = urlencode({"token": token, "token_type_hint": "access_token", **form}).encode()
        answer = await self._http.send("POST", self._how.url, headers=headers, content=content)
        if answer.status != 200:
            raise self._unsound(f"status {answer.status}", status=answer.status)
        claims = await self._signed(answer) if self._how.signed else _object(answer.body)
        if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
            raise self._unsound("it is no introspection response")
        if not claims["active"]:
            raise Inactive()
        if claims.get("iss", self._issuer) != self._issuer:
            raise IssuerNotTrusted(seen=claims["iss"])
        # A refresh token is active too, and good for nothing but its own issuer (RFC 7662 section 4).
        if str(claims.get("token_type", "Bearer")).lower() not in ("bearer", "dpop"):
            raise KindMismatch("this is no access token", seen=claims["token_type"])
        return claims

    async def _signed(self, answer: Answer) -> Any:
        """RFC 9701 section 8.1: meant for us, of this moment, and nothing else that the issuer signs."""
        if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != SIGNED:
            raise self._unsound("it is not signed")
        try:
            claims = (await self._jwts.signed(answer.body.decode("latin-1"), self._expected)).claims
        except (Rejected, IssuerNotTrusted) as error:
            raise self._unsound(error.said) from error
        issued = claims.get("iat")
        if claims.get("aud") not in (self._how.client_id, [self._how.client_id]):
            raise self._unsound("it is for somebody else")
        if not isinstance(issued, int | float) or abs(self._clock() - issued) > FRESH:
            raise self._unsound("it is not of this moment")
        return claims.get("token_introspection")

    def _unsound(self, cause: str, **facts: Any) -> Unavailable:
        return Unavailable(what=f"the introspection endpoint of {self._issuer}", cause=cause, **facts)


def _object(body: bytes) -> Any:
    try:
        return strictjson.loads(body)
    except strictjson.NotStrict:
        return None
