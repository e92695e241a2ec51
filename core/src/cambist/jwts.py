"""The one place that verifies a JWT. Who needs one verified says what is expected; nobody verifies by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from .clock import Clock
from .compact import Compact, base64url
from .egress import Egress
from .errors import AlgorithmRefused, CredentialMalformed, Expired, IssuerNotTrusted, NotYetValid, Rejected, SignatureInvalid
from .identity import Identity, MayAct, Proven
from .jwk import ASYMMETRIC, PublicKey
from .jwks import FileKeys, Keys, RemoteKeys, inline

PLAIN = frozenset({"jwt"})
"""The `typ` of a JWT that is no more than a JWT; an absent one means the same."""
YEAR_2200 = 7_258_118_400
MAX_MEMBERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a JWT must be to be believed.

    `leeway`, in seconds, covers clocks that differ when a token is new; there is none after it has expired, because
    nothing that we issue may outlive what it was issued for. `grace` is such a leeway, for proofs that bound nothing.
    """

    issuer: str
    keys: Keys
    algorithms: frozenset[str]
    types: frozenset[str] = PLAIN
    audiences: frozenset[str] = frozenset()
    leeway: float = 60.0
    grace: float = 0.0
    max_lifetime: float = 86_400.0
    may_delegate: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """The claims of a JWT whose signature, issuer and times are proved; read from the very bytes that were signed."""

    claims: Mapping[str, Any]
    expected: Expected

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    @property
    def expires_at(self) -> float:
        return float(self.claims["exp"])

    @property
    def audience(self) -> frozenset[str]:
        audience = self.claims["aud"]
        return frozenset([audience] if isinstance(audience, str) else audience)

    def text(self, name: str) -> str | None:
        """A claim that must be text if it is there; raises CredentialMalformed."""
        value = self.claims.get(name)
        if value is not None and not isinstance(value, str):
            raise CredentialMalformed(f"the claim {name} is not text")
        return value

    def proven(self, **more: Any) -> Proven:
        """The bounds of this proof, as far as the claims tell them; `more` adds or replaces."""
        scope = self.text("scope")
        bounds: dict[str, Any] = {
            "identity": Identity(issuer=self.expected.issuer, subject=self.subject, attributes=self.claims),
            "expires_at": self.expires_at,
            "audience": self.audience,
            "meant_for": self.expected.audiences,
            "scope": None if scope is None else frozenset(scope.split()),
            "token_id": self.text("jti"),
            "confirmation": _confirmation(self.claims),
            "chain": _chain(self.claims, self.expected),
            "may_act": _may_act(self.claims, self.expected.issuer),
        }
        return Proven(**(bounds | more))


class Jwts:
    """Verifies JWTs, and finds the keys for it."""

    def __init__(self, http: Egress, clock: Clock) -> None:
        self._http, self._clock = http, clock

    def keys(self, issuer: str, *, jwks: Mapping[str, Any] | None = None, file: Path | None = None, jwks_url: str | None = None) -> Keys:
        """The keys of an issuer: inline, from a file, from a URL, or by discovery when nothing is given.

        Raises Unavailable when what stands in the settings, or in the file, is no key set.
        """
        if jwks is not None:
            return inline(issuer, jwks)
        if file is not None:
            keys = FileKeys(file, self._clock)
            keys.read()
            return keys
        return RemoteKeys(self._http, self._clock, issuer=issuer, jwks_url=jwks_url)

    async def verify(self, token: str, expected: Expected) -> Verified:
        """Raises Rejected in one of its kinds, IssuerNotTrusted, or Unavailable when the issuer's keys cannot be had."""
        compact = Compact.parse(token)
        algorithm = _header(compact.header, expected)
        if compact.issuer != expected.issuer:
            raise IssuerNotTrusted(seen=compact.issuer)
        key = await expected.keys.find(compact.header.get("kid"), algorithm)
        _check_signature(compact, key, algorithm)
        _check_claims(compact.claims)
        self._check_times(compact.claims, expected)
        return Verified(compact.claims, expected)

    def _check_times(self, claims: Mapping[str, Any], expected: Expected) -> None:
        now = self._clock()
        expires, issued, begins = _time(claims, "exp"), _time(claims, "iat"), _time(claims, "nbf")
        if expires is None:
            raise CredentialMalformed("exp is missing")
        if now >= expires + expected.grace:
            raise Expired(f"it expired {math.ceil(now - expires)} seconds ago", seen={"exp": expires, "now": int(now)})
        start = max((t for t in (issued, begins) if t is not None), default=now)
        if start > now + expected.leeway:
            raise NotYetValid(f"it is valid in {math.ceil(start - now)} seconds", seen={"nbf": begins, "iat": issued, "now": int(now)})
        if issued is not None and issued >= expires:
            raise Rejected("it expires before it was issued")
        if expires - (issued if issued is not None else now) > expected.max_lifetime:
            raise Rejected("it lives longer than is accepted from this issuer", expected={"max_lifetime": expected.max_lifetime})


def media_type(typ: str) -> str:
    """`typ` as it is compared: without case, and with `application/` implied (RFC 8725bis section 3.11)."""
    return typ.lower().removeprefix("application/")


def _header(header: Mapping[str, Any], expected: Expected) -> str:
    algorithm, typ, kid = header.get("alg"), header.get("typ", "JWT"), header.get("kid", "")
    if not isinstance(typ, str) or media_type(typ) not in expected.types:
        raise Rejected("a token of this kind is not accepted here", expected=sorted(expected.types), seen=typ)
    if not isinstance(kid, str) or len(kid) > 256:
        raise CredentialMalformed("kid is not a short string")
    # We understand no extension, so any that must be understood ends it (RFC 7515 section 4.1.11, RFC 7797).
    # jwk, jku, x5u and x5c are never read: a token does not bring its own trust (RFC 8725 section 3.10).
    if any(name in header for name in ("crit", "b64", "zip", "enc")):
        raise CredentialMalformed("the header asks for an extension that is not supported")
    # Last, because it alone depends on whose token it is: whoever must not tell that apart tells this as a bad signature.
    if not isinstance(algorithm, str) or algorithm not in expected.algorithms & ASYMMETRIC:
        raise AlgorithmRefused(expected=sorted(expected.algorithms), seen=algorithm if isinstance(algorithm, str) else None)
    return algorithm


def _check_signature(compact: Compact, key: PublicKey, algorithm: str) -> None:
    """The header is judged and the key chosen, so nothing is left but the signature, over the very text that was sent."""
    model = JWSRegistry.algorithms["Ed25519" if algorithm == "EdDSA" else algorithm]
    signed, _, signature = compact.text.rpartition(".")
    try:
        # 25 µs for RSA, 75 to 120 for elliptic curves: shorter than a hop to a thread.
        good = model.verify(signed.encode(), base64url(signature), key.key)
    except (JoseError, ValueError) as error:
        raise SignatureInvalid() from error
    if not good:
        raise SignatureInvalid()


def _check_claims(claims: Mapping[str, Any]) -> None:
    if len(claims) > MAX_MEMBERS:
        raise CredentialMalformed("too many claims")
    subject, audience = claims.get("sub"), claims.get("aud")
    if not isinstance(subject, str) or not subject:
        raise CredentialMalformed("sub is missing or not text")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or not listed or not all(isinstance(a, str) and a for a in listed):
        raise CredentialMalformed("aud is missing, or neither text nor a list of texts")
    # A security event or a proof of possession is not a credential, whatever its typ says (RFC 8725 section 3.12).
    if "events" in claims or "vct" in claims or {"htm", "htu"} <= claims.keys():
        raise Rejected("a token of this kind is not accepted here")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    # RFC 7519 section 2: a number; `True` is one to Python, and milliseconds are a date far from now.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < YEAR_2200:
        raise CredentialMalformed(f"{name} is not a time in seconds")
    return value


def _confirmation(claims: Mapping[str, Any]) -> str | None:
    if "cnf" not in claims:
        return None
    cnf = claims["cnf"]
    # Kinds we cannot check are still a binding: they must never pass as a bearer token.
    if isinstance(cnf, dict) and isinstance(cnf.get("jkt"), str):
        return str(cnf["jkt"])
    return "unsupported"


def _chain(claims: Mapping[str, Any], expected: Expected) -> tuple[Identity, ...]:
    """Who acted before, the latest first (RFC 8693 section 4.1)."""
    if "act" in claims and not expected.may_delegate:
        raise Rejected("its issuer may not assert a delegation here")
    chain = []
    while "act" in claims:
        claims = claims["act"]
        chain.append(_party(claims, expected.issuer, "act"))
    return tuple(chain)


def _may_act(claims: Mapping[str, Any], issuer: str) -> MayAct | None:
    if "may_act" not in claims:
        return None
    named = _party(claims["may_act"], issuer, "may_act")
    if unknown := claims["may_act"].keys() - {"sub", "iss"}:
        # A condition that is not understood cannot be met (RFC 8693 section 4.4).
        raise Rejected("may_act has conditions that are not supported", seen=sorted(unknown))
    return MayAct(subject=named.subject, issuer=named.issuer)


def _party(value: object, issuer: object, claim: str) -> Identity:
    """A party inside a claim; its issuer is the token's unless it names another."""
    if isinstance(value, dict):
        subject, issuer = value.get("sub"), value.get("iss", issuer)
        if isinstance(subject, str) and subject and isinstance(issuer, str) and issuer:
            return Identity(issuer=issuer, subject=subject)
    raise CredentialMalformed(f"{claim} does not name an actor")
