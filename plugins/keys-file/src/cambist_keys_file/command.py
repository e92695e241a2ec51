"""`cambist keys …`: what keys there are, and a new one."""

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


def keys(store: FileKeys) -> click.Group:
    """The commands of an open key store. Their callbacks are coroutines: whoever mounts them awaits what they return."""

    @click.group("keys")
    def group() -> None:
        """Look after the signing keys."""

    @group.command("list")
    @click.option("--zone", help="Only the keys of this zone.")
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    async def listed(zone: str | None, as_json: bool) -> None:
        """Show the published keys, and what each of them does."""
        zones = store.zones() if zone is None else (_known(store, zone),)
        found = [row for name in zones for row in _rows(store, await store.ring(name))]
        click.echo(_json(found) if as_json else _table(found))

    @group.command("rotate")
    @click.option("--zone", required=True, help="The zone whose key is to be replaced.")
    @click.option("--compromised", is_flag=True, help="Withdraw all keys of the zone, and sign with a new one at once.")
    @click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
    async def rotated(zone: str, compromised: bool, as_json: bool) -> None:
        """Publish a new key now, and sign with it when every verifier has had time to see it."""
        done = await store.rotate(_known(store, zone), compromised=compromised)
        document = {"rotated": done.rotated, "zone_id": zone, "kid": done.kid, "signs_from": done.signs_from}
        said = "is published" if done.rotated else "was published before, and waits"
        click.echo(_json(document) if as_json else f"{done.kid} {said}; it signs from {_when(done.signs_from)}")

    return group


def _known(store: FileKeys, zone: str) -> str:
    """A mistyped name must not make keys for a zone that nobody has."""
    if zone not in store.zones():
        raise click.BadParameter(f"no zone {zone!r} has keys; those that have: {', '.join(store.zones()) or 'none'}", param_hint="--zone")
    return zone


def _rows(store: FileKeys, ring: Ring) -> Iterator[Mapping[str, Any]]:
    now, retain = store.clock(), store.settings.retain
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


def _state(ring: Ring, key: KeptKey, now: float) -> str:
    if key is ring.signing(now):
        return "signing"
    return "next" if key is ring.pending(now) else "retired"


def _table(rows: list[Mapping[str, Any]]) -> str:
    lines = [f"{row['zone_id']:<12} {row['state']:<8} {row['alg']:<7} {row['kid']}  {_times(row)}" for row in rows]
    return "\n".join(lines) or "there are no keys yet: the first is made when it is needed"


def _times(row: Mapping[str, Any]) -> str:
    signs = f"signs from {_when(row['signs_from'])}"
    return signs if row["published_until"] is None else f"{signs}, published until {_when(row['published_until'])}"


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
