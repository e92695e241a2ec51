"""What does not fit in a token, by itself: whoever verifies it will stumble over this, whatever its signature says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cambist import Refusal
from cambist.compact import Compact
from cambist.jwk import ASYMMETRIC
from cambist.jwts import YEAR_2200, check_claims

DAY = 86_400
TRUST = ("jwk", "jku", "x5u", "x5c")
_LEGACY = "kubernetes/serviceaccount"


def oddities(compact: Compact, now: float) -> Iterator[str]:
    """Sentences, the header's first."""
    yield from _header(compact.header)
    yield from _shape(compact.claims)
    yield from _times(compact.claims, now)
    yield from _parties(compact.claims)


def moment(value: object) -> float | None:
    """A time of RFC 7519 section 2, or None: a text is none, and neither are milliseconds."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < YEAR_2200 else None


def _header(header: Mapping[str, Any]) -> Iterator[str]:
    algorithm = header.get("alg")
    if algorithm == "none":
        yield "alg is none: it is not signed, and anybody can change it"
    elif algorithm not in ASYMMETRIC:
        yield f"alg is {algorithm!r}, which is no signature by a private key"
    for name in TRUST:
        if name in header:
            yield f"{name} stands in the header: a token does not bring its own trust (RFC 8725 section 3.10)"
    if "crit" in header:
        yield f"crit demands that {header['crit']!r} be understood"


def _shape(claims: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(claims.get("iss"), str):
        yield "iss is missing or not text: nobody vouches for it"
    elif claims["iss"] == _LEGACY:
        yield "a service-account token out of a Secret: it never ends, and every cluster has this issuer"
    try:
        check_claims(claims, "sub")
    except Refusal as refusal:
        yield refusal.said
    if isinstance(audience := claims.get("aud"), list) and len(audience) > 1:
        yield f"it is for {len(audience)} audiences: each of them can use it in place of its owner"
    for name in ("scope", "jti", "client_id", "azp"):
        if name in claims and not isinstance(claims[name], str):
            yield f"{name} is not text"


def _times(claims: Mapping[str, Any], now: float) -> Iterator[str]:
    for name in ("iat", "nbf", "exp"):
        if name in claims and (value := moment(claims[name])) is None:
            in_ms = isinstance(claims[name], int | float) and moment(claims[name] / 1000) is not None
            yield f"{name} is not a time in seconds{': it looks like milliseconds' if in_ms else ''}"
        elif name != "exp" and name in claims and value is not None and value > now:
            yield f"{name} is in the future by this machine's clock"
    issued, begins, end = (moment(claims.get(name)) for name in ("iat", "nbf", "exp"))
    if "exp" not in claims:
        yield "exp is missing: it never ends"
    if end is None:
        return
    if end <= now:
        yield "it has expired by this machine's clock"
    if end <= max(issued or 0, begins or 0):
        yield "it ends before it begins"
    elif issued is not None and end - issued > DAY:
        yield f"it lives for {(end - issued) / DAY:.1f} days"


def _parties(claims: Mapping[str, Any]) -> Iterator[str]:
    """Every actor of the chain must be named (RFC 8693 section 4.1), and a binding must bind to something."""
    act: object = claims.get("act")
    depth = 0
    while act is not None:
        depth += 1
        if not isinstance(act, dict) or not isinstance(act.get("sub"), str) or not act["sub"]:
            yield f"act names nobody, {depth} deep"
            break
        act = act.get("act")
    if "may_act" in claims and not (isinstance(may := claims["may_act"], dict) and isinstance(may.get("sub"), str)):
        yield "may_act names nobody"
    if "cnf" in claims and not (isinstance(cnf := claims["cnf"], dict) and cnf):
        yield "cnf binds it to nothing"
    if "exec" in claims and not (isinstance(action := claims["exec"], dict) and {"htm", "htu"} <= action.keys()):
        yield "exec names no HTTP action"
