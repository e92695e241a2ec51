"""The public keys of one issuer: which of them can be used, and for what."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from .errors import KeyUnknown, Unavailable

MAX_KEYS = 100

_EC = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_PRIMES = [n for n in range(2, 1000) if all(n % d for d in range(2, math.isqrt(n) + 1))]
_SMALL_FACTORS = math.prod(_PRIMES)
"""A modulus that shares a factor with this can be taken apart by anybody."""
_ROCA = [(p, frozenset(pow(65537, power, p) for power in range(p))) for p in _PRIMES if 2 < p < 168]
"""What is left of a modulus of the chips of CVE-2017-15361, by each of these primes; of others it is all of this once in 2²⁷."""
_P = (1 << 255) - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
"""The ordinates of the eight points of Ed25519 under which anybody can sign (RFC 8725bis section 3.4)."""
MAX_REMEMBERED = 4096
"""Signatures that are remembered for each key: some 400 kB."""
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members that only the private half of a key has (RFC 7518 section 6)."""
ASYMMETRIC = frozenset({*_RSA, *_EC.values(), "EdDSA", "Ed25519"})
"""The only algorithms there are: HMAC and `none` cannot even be named (RFC 8725 section 3.1)."""


class Remembered:
    """Signatures that this very key object has verified, by digest of what was signed and of the signature.

    Nothing else about a token is remembered: its expiry, its revocation and the policy are judged each time. A key set that
    is fetched anew has new key objects, which remember nothing; another signature of the same token is another digest.
    """

    __slots__ = ("_digests",)

    def __init__(self) -> None:
        self._digests: dict[bytes, None] = {}

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes) -> None:
        if len(self._digests) >= MAX_REMEMBERED:
            del self._digests[next(iter(self._digests))]
        self._digests[digest] = None


@dataclass(frozen=True)  # without slots: `id` is remembered
class PublicKey:
    """One usable public key, bound to the algorithms that are one and the same for it."""

    key: Key
    kid: str | None
    algorithms: frozenset[str]
    verified: Remembered = field(default_factory=Remembered, init=False, compare=False, repr=False)

    @cached_property
    def id(self) -> str:
        """What it can be distrusted by: its kid, or its thumbprint (RFC 7638) where its issuer gives it none."""
        return self.kid or self.key.thumbprint()


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer at one moment; `dropped` says why others were left out."""

    keys: tuple[PublicKey, ...]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: object, *, rsa: str = "RS256") -> KeySet:
        """Unusable keys are left out one by one and do not spoil the set (RFC 7517 section 5). Raises Unavailable if it is none at all.

        `rsa` is the one algorithm of RSA keys that declare none.
        """
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise Unavailable(what="the key set", cause="it is not a JWK set")
        keys, dropped = [], []
        for entry in entries:
            try:
                keys.append(_usable(entry, rsa))
            except _Unusable as error:
                dropped.append(str(error))
        return cls(tuple(keys), tuple(dropped))

    def fitting(self, kid: object, algorithm: str) -> PublicKey | None:
        """The one key that a header names. Without kid only if just one fits: keys are never tried in turn."""
        found = None
        for key in self.keys:
            if (kid is None or key.kid == kid) and algorithm in key.algorithms:
                if found is not None:
                    return None
                found = key
        return found

    def find(self, kid: object, algorithm: str) -> PublicKey:
        """As `fitting`, but raises KeyUnknown."""
        if found := self.fitting(kid, algorithm):
            return found
        raise KeyUnknown(seen={"kid": kid if isinstance(kid, str) else None, "alg": algorithm})


def undeclared(algorithms: Collection[str]) -> str:
    """What RSA keys that declare no algorithm are for, at an issuer that may use these: one thing, as any key (RFC 8725bis section 3.1).

    The key does not tell, and the header must not choose. RS256 is what such keys are for nearly everywhere.
    """
    usual = [name for name in _RSA if name in algorithms]
    return usual[0] if usual else "RS256"


class _Unusable(Exception):
    pass


def _usable(entry: object, rsa: str) -> PublicKey:
    if not isinstance(entry, dict):
        raise _Unusable("a key that is not an object")
    kid = entry.get("kid")
    if not (kid is None or (isinstance(kid, str) and 0 < len(kid) <= 256)):
        raise _Unusable("a key whose kid is not a short string")
    if entry.get("use", "sig") != "sig" or not _may_verify(entry):
        raise _Unusable(f"{kid}: not for signatures")
    if entry.get("kty") not in ("RSA", "EC", "OKP"):
        raise _Unusable(f"{kid}: not an asymmetric key")
    if PRIVATE & entry.keys():
        raise _Unusable(f"{kid}: its private half is public, so it proves nothing")
    public = {name: value for name, value in entry.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    try:
        key = JWKRegistry.import_key(public)
        fitting = _algorithms(key) & _declared(entry.get("alg"), key, rsa)
    except Exception as error:  # joserfc and cryptography raise more kinds than they name
        raise _Unusable(f"{kid}: not a sound key") from error
    if not fitting:
        raise _Unusable(f"{kid}: its alg does not fit the key")
    return PublicKey(key, kid, fitting)


def _may_verify(entry: Mapping[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return isinstance(operations, list) and "verify" in operations


def _declared(algorithm: object, key: Key, rsa: str) -> frozenset[str]:
    """One key, one algorithm (RFC 8725bis section 3.1); EdDSA and Ed25519 are two names of one (RFC 9864)."""
    if algorithm is None:
        return frozenset({rsa}) if isinstance(key, RSAKey) else ASYMMETRIC
    if algorithm in ("EdDSA", "Ed25519"):
        return frozenset({"EdDSA", "Ed25519"})
    return frozenset({algorithm}) if isinstance(algorithm, str) else frozenset()


def _algorithms(key: Key) -> frozenset[str]:
    if isinstance(key, RSAKey):
        numbers = key.public_key.public_numbers()
        # RFC 7518 section 3.3; the upper bounds keep one verification short. cryptography takes no exponent that is even, or 1;
        # 3 is allowed: what makes it weak is lax checking of the padding, and ours compares all of it.
        if not 2048 <= numbers.n.bit_length() <= 8192 or numbers.e.bit_length() > 32:
            raise ValueError("RSA size")
        if math.gcd(numbers.n, _SMALL_FACTORS) != 1 or all(numbers.n % prime in left for prime, left in _ROCA):
            raise ValueError("RSA modulus")
        return frozenset(_RSA)
    if isinstance(key, ECKey) and key.curve_name in _EC:
        return frozenset({_EC[key.curve_name]})
    if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
        ordinate = int.from_bytes(key.public_key.public_bytes_raw(), "little") & ((1 << 255) - 1)
        if ordinate % _P in _SMALL_ORDER:
            raise ValueError("a point of small order")
        return frozenset({"EdDSA", "Ed25519"})
    return frozenset()
