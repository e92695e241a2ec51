"""How keys are shown to those who look after them: as lines, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from .ring import KeptKey, Ring

if TYPE_CHECKING:
    from .store import FileKeys


def rows(store: FileKeys, ring: Ring) -> Iterator[Mapping[str, Any]]:
    """What is published of a ring, newest first."""
    now, retain = store.clock(), store.times.retain
    for key in reversed(ring.published(now, retain)):
        until = ring.published_until(key, retain)
        yield {
            "zone_id": ring.zone,
            "kid": key.kid,
            "alg": key.alg,
            "state": _state(ring, key, now),
            "made_at": key.made_at,
            "signs_from": key.signs_from,
            "published_until": None if math.isinf(until) else until,
        }


def known_kid(ring: Ring, kid: str) -> None:
    """Raises BadParameter when no key has this id, with those that there are."""
    if kid not in (kids := [key.kid for key in ring.keys]):
        raise click.BadParameter(f"zone {ring.zone} has no key {kid!r}; there are {', '.join(kids)}", param_hint="KID")


def table(found: list[Mapping[str, Any]]) -> str:
    lines = [f"{row['zone_id']:<12} {row['state']:<8} {row['alg']:<7} {row['kid']}  {_times(row)}" for row in found]
    return "\n".join(lines) or "there are no keys yet: the first is made when it is needed"


def when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def as_json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _state(ring: Ring, key: KeptKey, now: float) -> str:
    if key is ring.signing(now):
        return "signing"
    return "next" if key is ring.pending(now) else "retired"


def _times(row: Mapping[str, Any]) -> str:
    signs = f"signs from {when(row['signs_from'])}"
    return signs if row["published_until"] is None else f"{signs}, published until {when(row['published_until'])}"
