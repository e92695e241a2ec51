"""The keys of an issuer: where they come from, which of them can be used, and how long they are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from . import strictjson
from .clock import Clock
from .egress import Egress
from .errors import KeyUnknown, Unavailable

SOFT_AGE = 300.0
"""After this many seconds a key set is fetched anew when it is next needed."""
HARD_AGE = 86_400.0
"""For this many seconds the last good key set is believed while its issuer cannot be reached."""
REFETCH_FLOOR = 60.0
"""An unknown kid causes one fetch in this many seconds, whatever the load."""
RETRY_FLOOR = 5.0
"""After a failure, nobody asks again for this many seconds."""
MAX_KEYS = 100

_EC = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ASYMMETRIC = frozenset({*_RSA, *_EC.values(), "EdDSA", "Ed25519"})
"""The only algorithms there are: HMAC and `none` cannot even be named (RFC 8725 section 3.1)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One usable public key, bound to the algorithms that are one and the same for it."""

    key: Key
    kid: str | None
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer at one moment; `dropped` says why others were left out."""

    keys: tuple[PublicKey, ...]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: object) -> KeySet:
        """Unusable keys are left out one by one and do not spoil the set (RFC 7517 section 5). Raises Unavailable if it is none at all."""
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise Unavailable(what="the key set", cause="it is not a JWK set")
        keys, dropped = [], []
        for entry in entries:
            try:
                keys.append(_usable(entry))
            except _Unusable as error:
                dropped.append(str(error))
        return cls(tuple(keys), tuple(dropped))

    def fitting(self, kid: object, algorithm: str) -> PublicKey | None:
        """The one key that a header names. Without kid only if just one fits: keys are never tried in turn."""
        candidates = [k for k in self.keys if algorithm in k.algorithms and (kid is None or k.kid == kid)]
        return candidates[0] if len(candidates) == 1 else None

    def find(self, kid: object, algorithm: str) -> PublicKey:
        """As `fitting`, but raises KeyUnknown."""
        if found := self.fitting(kid, algorithm):
            return found
        raise KeyUnknown(seen={"kid": kid if isinstance(kid, str) else None, "alg": algorithm})


class _Unusable(Exception):
    pass


def _usable(entry: object) -> PublicKey:
    if not isinstance(entry, dict):
        raise _Unusable("a key that is not an object")
    kid = entry.get("kid")
    if not (kid is None or (isinstance(kid, str) and 0 < len(kid) <= 256)):
        raise _Unusable("a key whose kid is not a short string")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        raise _Unusable(f"{kid}: not for signatures")
    if entry.get("kty") not in ("RSA", "EC", "OKP"):
        raise _Unusable(f"{kid}: not an asymmetric key")
    public = {name: value for name, value in entry.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    try:
        key = JWKRegistry.import_key(public)
        fitting = _algorithms(key)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _Unusable(f"{kid}: not a sound key") from error
    declared = entry.get("alg")
    if declared is not None:
        # One key, one algorithm (RFC 8725bis section 3.1); EdDSA and Ed25519 are two names of one (RFC 9864).
        fitting &= {"EdDSA", "Ed25519"} if declared in ("EdDSA", "Ed25519") else {declared}
    elif isinstance(key, RSAKey):
        fitting = frozenset({"RS256"})
    if not fitting:
        raise _Unusable(f"{kid}: its alg does not fit the key")
    return PublicKey(key, kid, frozenset(fitting))


def _algorithms(key: Key) -> frozenset[str]:
    if isinstance(key, RSAKey):
        public = key.public_key
        # RFC 7518 section 3.3; the upper bounds keep one verification short.
        if not 2048 <= public.key_size <= 8192 or not 3 <= public.public_numbers().e < 1 << 32:
            raise ValueError("RSA size")
        return frozenset(_RSA)
    if isinstance(key, ECKey) and key.curve_name in _EC:
        _ = key.public_key  # raises for a point that is not on the curve
        return frozenset({_EC[key.curve_name]})
    if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
        return frozenset({"EdDSA", "Ed25519"})
    return frozenset()


class Keys(Protocol):
    """Where the keys of one issuer come from."""

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        """The key for a header; raises KeyUnknown when there is none, Unavailable when that cannot be said."""


@dataclass(frozen=True, slots=True)
class InlineKeys:
    """Keys that stand in the settings."""

    keys: KeySet

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        return self.keys.find(kid, algorithm)


@dataclass(slots=True)
class FileKeys:
    """Keys in a file, read again when it changes."""

    path: Path
    _keys: KeySet = field(default_factory=lambda: KeySet(()))
    _stamp: tuple[int, int] | None = None

    def read(self) -> KeySet:
        """Raises Unavailable when the file is not a key set; a replaced file that is broken changes nothing until it is mended."""
        try:
            status = self.path.stat()
            if self._stamp != (stamp := (status.st_mtime_ns, status.st_size)):
                self._keys = KeySet.of(strictjson.loads(self.path.read_bytes()))
                self._stamp = stamp
        except (OSError, strictjson.NotStrict) as error:
            raise Unavailable(what=f"key file {self.path}", cause=str(error)) from error
        return self._keys

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        return self.read().find(kid, algorithm)


class RemoteKeys:
    """Keys behind a URL, or found by discovery: fetched once for all who wait, kept through an outage, refetched for a new kid."""

    def __init__(self, http: Egress, clock: Clock, *, issuer: str, jwks_url: str | None = None) -> None:
        self._http, self._clock, self._issuer, self._url = http, clock, issuer, jwks_url
        self._keys: KeySet | None = None
        self._fetched = self._tried = -HARD_AGE
        self._fetching: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        now = self._clock()
        if self._keys is None:
            await self._refresh(now)
        elif now - self._fetched > SOFT_AGE:
            self._start(now)  # the last good keys serve meanwhile: nobody waits for a fetch that is not needed
        if found := self._believed(now).fitting(kid, algorithm):
            return found
        if now - self._tried >= REFETCH_FLOOR:
            await self._refresh(now)
        return self._believed(now).find(kid, algorithm)

    def _believed(self, now: float) -> KeySet:
        if self._keys is None or now - self._fetched > HARD_AGE:
            raise Unavailable(what=f"the keys of {self._issuer}", cause=self.trouble)
        return self._keys

    async def _refresh(self, now: float) -> None:
        # One caller who hangs up must not cancel the fetch that others wait for.
        if task := self._start(now):
            await asyncio.shield(task)

    def _start(self, now: float) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or none when the last attempt was a moment ago."""
        if self._fetching is None and now - self._tried >= RETRY_FLOOR:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch(now))
            self._fetching.add_done_callback(self._done)
        return self._fetching

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self, now: float) -> None:
        try:
            url = self._url or await self._discover()
            self._keys = KeySet.of(await self._document(url))
            self._fetched, self.trouble = now, None
        except Unavailable as error:
            self.trouble = str(error.facts.get("cause") or error.said)

    async def _discover(self) -> str:
        metadata = await self._document(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        # OpenID Connect Discovery section 4.3: a document that names another issuer is not this issuer's.
        if not isinstance(metadata, dict) or metadata.get("issuer") != self._issuer:
            raise Unavailable(what="discovery", cause="the document names another issuer")
        if self._issuer.startswith("https:"):  # Authlib takes nothing else; an issuer on this machine may do without
            try:
                document = OpenIDProviderMetadata(metadata)
                document.validate_issuer()
                document.validate_jwks_uri()  # type: ignore[no-untyped-call]  # the stubs leave it out
            except ValueError as error:
                raise Unavailable(what="discovery", cause=str(error)) from error
        url = metadata.get("jwks_uri")
        if not isinstance(url, str):
            raise Unavailable(what="discovery", cause="the document has no jwks_uri")
        return url

    async def _document(self, url: str) -> Any:
        answer = await self._http.get(url)
        if answer.status != 200:
            raise Unavailable(what=url, cause=f"status {answer.status}")
        try:
            return strictjson.loads(answer.body)
        except strictjson.NotStrict as error:
            raise Unavailable(what=url, cause=str(error)) from error


def inline(document: Mapping[str, Any] | Sequence[Any]) -> InlineKeys:
    return InlineKeys(KeySet.of(document))
