"""A token drawn as a tree: who it is, who acts for whom, for whom it is, until when. Nothing is verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cambist.compact import Compact

FIRST = ("iss", "sub", "aud", "client_id", "scope", "iat", "nbf", "exp", "jti", "txn", "zone_id", "td")
TIMES = frozenset({"iat", "nbf", "exp"})


def drawn(token: str, now: float) -> Iterator[str]:
    """The lines of the tree; raises CredentialMalformed for what is no compact JWS."""
    compact = Compact.parse(token)
    header = compact.header
    yield f"JWT  alg {header.get('alg')}  typ {header.get('typ', '-')}  kid {header.get('kid', '-')}   (the signature is not checked here)"
    claims = compact.claims
    rest = [name for name in claims if name not in FIRST and name not in ("act", "may_act")]
    for name in (*(name for name in FIRST if name in claims), *rest):
        yield f"├── {name:<10} {_told(name, claims[name], now)}"
    if isinstance(claims.get("may_act"), dict):
        yield f"├── may_act    {claims['may_act'].get('sub')}"
    yield from _actors(claims)


def _actors(claims: Mapping[str, Any]) -> Iterator[str]:
    """The chain, the latest actor first: each line acts for the one below it."""
    act, depth = claims.get("act"), 0
    while isinstance(act, dict):
        yield f"└── {'    ' * depth}act     {act.get('sub')}"
        act, depth = act.get("act"), depth + 1
    if depth:
        yield f"└── {'    ' * depth}for     {claims.get('sub')}"


def _told(name: str, value: Any, now: float) -> str:
    if name in TIMES and isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11:
        moment = datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
        return f"{value}  {moment}  ({_distance(value - now)})"
    return str(value)


def _distance(seconds: float) -> str:
    return f"in {round(seconds)} s" if seconds > 0 else f"{round(-seconds)} s ago"
