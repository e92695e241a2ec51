"""The one place that verifies a JWT. Who needs one verified says what is expected; nobody verifies by hand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from .clock import Clock
from .compact import Compact, Jws
from .credential import Credential
from .discovery import Gets
from .errors import (
    AlgorithmRefused,
    AudienceMissing,
    CredentialMalformed,
    Expired,
    IssuerNotTrusted,
    KindMismatch,
    NotYetValid,
    Rejected,
    SignatureInvalid,
)
from .jwk import ASYMMETRIC, KeySet, PublicKey, undeclared
from .jwks import HARD_AGE, SOFT_AGE, FileKeys, InlineKeys, Keys, RemoteKeys, inline
from .verified import PLAIN, Expected, Verified

__all__ = ["PLAIN", "Expected", "Jwts", "Verified", "media_type"]

YEAR_2200 = 7_258_118_400
_NUMBERS = (int, float)
MAX_MEMBERS = 500
_EXTENSIONS = frozenset({"crit", "b64", "zip", "enc"})


class Jwts:
    """Verifies JWTs, and finds the keys for it.

    Zones that trust one issuer alike share its keys, so that it is asked once; the last one that lets go of them ends them.
    `tried` says that another process opened a service with the same settings: the keys in them were all judged there.
    """

    def __init__(self, http: Gets, clock: Clock, *, max_age: float = SOFT_AGE, kept: float = HARD_AGE, tried: bool = False) -> None:
        self._http, self.clock, self._max_age, self._kept, self._tried = http, clock, max_age, kept, tried
        self._remote: WeakValueDictionary[tuple[str, str | None, str], RemoteKeys] = WeakValueDictionary()
        self._files: WeakSet[FileKeys] = WeakSet()

    def keys(
        self,
        issuer: str,
        *,
        jwks: Mapping[str, Any] | None = None,
        file: Path | None = None,
        jwks_url: str | None = None,
        algorithms: Collection[str] = (),
    ) -> Keys:
        """The keys of an issuer: inline, from a file, from a URL, or by discovery when nothing is given.

        `algorithms` are those that the issuer may use: they tell what its RSA keys are for that do not say so themselves.
        Raises Unavailable when what stands in the settings, or in the file, is no key set.
        """
        if jwks is not None:
            return inline(issuer, jwks, algorithms)
        rsa = undeclared(algorithms)
        if file is not None:
            keys = FileKeys(file, self.clock, self._kept, rsa)
            keys.read()
            self._files.add(keys)
            return keys
        if (found := self._remote.get((issuer, jwks_url, rsa))) is None:
            found = RemoteKeys(self._http, self.clock, issuer=issuer, jwks_url=jwks_url, rsa=rsa, max_age=self._max_age, kept=self._kept)
            self._remote[issuer, jwks_url, rsa] = found
        return found

    def stated(self, issuer: str, keys: InlineKeys) -> Keys:
        """Keys that stand in the settings. Raises Unavailable when none of them can be used.

        Where the settings were tried, they are read when a credential first needs them. They are judged then as they were before,
        so that a key which is unsound proves nothing, whoever let it pass.
        """
        return keys if self._tried else keys.checked(issuer)

    def forget(self, issuer: str) -> None:
        """Believe none of the keys that were fetched for an issuer: its next token waits for fresh ones."""
        for keys in list(self._remote.values()):
            if keys.issuer == issuer:
                keys.forget()

    def warnings(self) -> Mapping[str, str]:
        """Whose keys could not be fetched or read when they were last asked for, and since when."""
        told = [(f"keys of {keys.issuer}", keys.warning()) for keys in list(self._remote.values())]
        told += [(f"keys in {keys.path}", keys.warning()) for keys in list(self._files)]
        return {name: warning for name, warning in sorted(told, key=lambda each: each[0]) if warning}

    async def verify(self, token: str | Credential, expected: Expected | Mapping[str, Expected]) -> Verified:
        """`expected` of the one issuer it must be from, or of each that it may be from, by name.

        Raises Rejected in one of its kinds, IssuerNotTrusted, or Unavailable when the issuer's keys cannot be had.
        """
        verified = await self.signed(token, expected)
        self._check(verified)
        return verified

    async def signed(self, token: str | Credential, expected: Expected | Mapping[str, Expected]) -> Verified:
        """A JWT that is no credential, such as an answer of the issuer: as `verify`, but nobody has looked at its claims yet."""
        compact = _parts(token)
        if not isinstance(expected, Expected):
            expected = _of_issuer(compact.issuer, expected)
        check_type(compact.header, expected)
        algorithm = algorithm_of(compact.header, expected.algorithms)
        if compact.issuer != expected.issuer:
            raise IssuerNotTrusted(seen=compact.issuer)
        key = await expected.keys.find(compact.header.get("kid"), algorithm)
        check_signature(compact.jws, key, algorithm)
        return Verified(compact.claims, expected, key.id)

    def told(self, claims: Mapping[str, Any], expected: Expected) -> Verified:
        """What an issuer answered about a token of its own, judged as if it stood in a JWT. Raises Rejected in one of its kinds."""
        self._check(verified := Verified(claims, expected))
        return verified

    def _check(self, verified: Verified) -> None:
        check_claims(verified.claims, verified.expected.subject, verified.expected.audiences)
        self.check_times(verified.claims, verified.expected)

    def check_times(self, claims: Mapping[str, Any], expected: Expected) -> None:
        """Raises Expired, NotYetValid, Rejected, CredentialMalformed."""
        now = self.clock()
        expires, issued, begins = _time(claims, "exp"), _time(claims, "iat"), _time(claims, "nbf")
        if expires is None:
            raise CredentialMalformed("exp is missing")
        if now >= expires + expected.grace:
            raise Expired(f"it expired {math.ceil(now - expires)} seconds ago", seen={"exp": expires, "now": int(now)})
        start = max(now if issued is None else issued, now if begins is None else begins)
        if start > now + expected.leeway:
            seen = {"nbf": begins, "iat": issued, "now": int(now)}
            raise NotYetValid(f"it is valid in {math.ceil(start - now)} seconds", expected={"leeway": expected.leeway}, seen=seen)
        if issued is not None and issued >= expires:
            raise Rejected("it expires before it was issued")
        if begins is not None and begins >= expires:
            raise Rejected("it expires before it is valid")
        if expires - (issued if issued is not None else now) > expected.max_lifetime:
            lives = expires - (issued if issued is not None else now)
            wanted = {"max_lifetime": expected.max_lifetime}
            said = f"it lives for {math.ceil(lives)} seconds, and {expected.max_lifetime:.0f} are accepted from this issuer"
            raise Rejected(said, expected=wanted, seen={"lifetime": lives})


def _parts(token: str | Credential) -> Compact:
    if isinstance(token, str):
        return Compact.parse(token)
    return token.parts or Compact.parse(token.token)


def _of_issuer(issuer: str | None, expected: Mapping[str, Expected]) -> Expected:
    if issuer is None:
        raise CredentialMalformed("a JWT names its issuer in iss")
    if (found := expected.get(issuer)) is None:
        raise IssuerNotTrusted(seen=issuer)
    return found


def media_type(typ: str) -> str:
    """`typ` as it is compared: without case, and with `application/` implied (RFC 8725bis section 3.11)."""
    return typ.lower().removeprefix("application/")


def check_type(header: Mapping[str, Any], expected: Expected) -> None:
    """Raises KindMismatch."""
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or media_type(typ) not in expected.types:
        raise KindMismatch("a token of this kind is not accepted here", expected=sorted(expected.types), seen=typ)


def algorithm_of(header: Mapping[str, Any], algorithms: frozenset[str]) -> str:
    """The one that a header names. Raises AlgorithmRefused, CredentialMalformed."""
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if not isinstance(kid, str) or len(kid) > 256:
        raise CredentialMalformed("kid is not a short string")
    # We understand no extension, so any that must be understood ends it (RFC 7515 section 4.1.11, RFC 7797).
    # jwk, jku, x5u and x5c are never read: a token does not bring its own trust (RFC 8725 section 3.10).
    if not _EXTENSIONS.isdisjoint(header):
        raise CredentialMalformed("the header asks for an extension that is not supported")
    # Last, because it alone depends on whose token it is: whoever must not tell that apart tells this as a bad signature.
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in ASYMMETRIC:
        raise AlgorithmRefused(expected=sorted(algorithms), seen=algorithm if isinstance(algorithm, str) else None)
    return algorithm


def payload(text: str, keys: KeySet, algorithms: frozenset[str] = ASYMMETRIC) -> bytes:
    """What is signed within a JWS, whatever it is. Raises Rejected in one of its kinds. A JWT is more: see `Jwts.verify`."""
    jws = Jws.parse(text)
    algorithm = algorithm_of(jws.header, algorithms)
    check_signature(jws, keys.find(jws.header.get("kid"), algorithm), algorithm)
    return jws.payload


def check_signature(jws: Jws, key: PublicKey, algorithm: str) -> None:
    """The header is judged and the key chosen, so nothing is left but the signature, over the very text that was sent."""
    digest = hashlib.sha256(jws.signed + b"." + jws.signature).digest()
    if digest in key.verified:
        return
    model = JWSRegistry.algorithms["Ed25519" if algorithm == "EdDSA" else algorithm]
    try:
        # 25 µs for RSA, 75 to 120 for elliptic curves: shorter than a hop to a thread.
        good = model.verify(jws.signed, jws.signature, key.key)
    except (JoseError, ValueError) as error:
        raise _unsigned(jws, algorithm) from error
    if not good:
        raise _unsigned(jws, algorithm)
    key.verified.add(digest)


def _unsigned(jws: Jws, algorithm: str) -> SignatureInvalid:
    return SignatureInvalid(seen={"kid": jws.header.get("kid"), "alg": algorithm})


def check_claims(claims: Mapping[str, Any], name: str, audiences: Collection[str] = ()) -> None:
    """`name` is the claim that says whom it is about. Raises CredentialMalformed, AudienceMissing, KindMismatch."""
    if len(claims) > MAX_MEMBERS:
        raise CredentialMalformed("too many claims")
    subject, audience = claims.get(name), claims.get("aud")
    if not isinstance(subject, str) or not subject:
        raise CredentialMalformed(f"{name} is missing or not text")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or set(map(type, listed)) != {str} or not all(listed):
        raise AudienceMissing("aud is missing, or neither text nor a list of texts", expected=sorted(audiences) or None)
    # A security event or a proof of possession is not a credential, whatever its typ says (RFC 8725 section 3.12).
    if "events" in claims or "vct" in claims or ("htm" in claims and "htu" in claims):
        raise KindMismatch("a token of this kind is not accepted here")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    # RFC 7519 section 2: a number; `True` is one to Python, and milliseconds are a date far from now.
    if type(value) not in _NUMBERS or not 0 < value < YEAR_2200:
        raise CredentialMalformed(f"{name} is not a time in seconds")
    number: float = value
    return number
