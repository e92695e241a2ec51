"""Where the endpoints of a zone are: beneath the path of its issuer. Nothing else tells zones apart, for `Host` decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .zone import Zone

_SEGMENTS = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
"""Paths that have one spelling: nothing to decode, no `..`, and nothing that a router takes for a variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """`path` stands before the path of each of the zone's endpoints here, `url` is what clients are told stands before it.

    `inserted` follows the well-known path of its metadata (RFC 8414 section 3.1). A zone that shares the service's issuer has no
    endpoints of its own, and is asked for by `zone_id`.
    """

    path: str
    url: str
    inserted: str


def location(zone: Zone, issuer: str, url: str) -> Location | None:
    """Where a zone is found, beside a service of this issuer and public URL; None for a zone without endpoints of its own."""
    ours, its, url = issuer.rstrip("/"), zone.issuer.rstrip("/"), url.rstrip("/")
    inserted = urlsplit(its).path
    if its == ours:
        return Location(path="", url=url, inserted=inserted) if zone.id == "default" else None
    if its.startswith(f"{ours}/"):
        path = its.removeprefix(ours)
        return Location(path=path, url=f"{url}{path}", inserted=inserted)
    return Location(path=inserted, url=its, inserted=inserted) if inserted else None


def problems(zones: Mapping[str, Zone], issuer: str) -> Iterator[str]:
    """Issuers by whose paths no client would find its zone, or would find another one."""
    found = {name: place for name, zone in zones.items() if (place := location(zone, issuer, issuer)) is not None}
    owners: dict[str, str] = {}
    for name, place in found.items():
        where = "issuer" if name == "default" else f"zones.{name}.issuer"
        if place.inserted and not _SEGMENTS.fullmatch(place.inserted):
            yield f"{where}: its path must be of letters, digits, dots, hyphens, tildes and underscores, as in /z/{name}"
        elif (other := owners.setdefault(place.inserted, name)) != name:
            yield f"{where}: its path is that of zone {other} already, and only the path tells zones apart"
