"""TOML into shapes: claimed, with origins, and with every error told at once."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import tomli
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .egress import LOOPBACK
from .errors import DidNotStart
from .installation import REASONS as REASONS  # noqa: PLC0414 - where others find it
from .installation import Installation as Installation  # noqa: PLC0414 - here too
from .listen import Listen as Listen  # noqa: PLC0414 - where others find it
from .location import Location, location
from .location import problems as misplaced
from .origins import Origins
from .reference import UNRESOLVED, resolved
from .shape import Shape
from .zone import Zone

S = TypeVar("S", bound=Shape)

APPLICATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Settings:
    """The settings as they are at work; `origins` tells for each path in the TOML where its value came from."""

    service: Installation
    zones: Mapping[str, Zone]
    origins: Origins = field(default_factory=lambda: Origins({}, "settings", {}))

    def origin(self, path: str) -> str:
        return self.origins.get(path, "default")

    def location(self, zone: Zone) -> Location | None:
        """Where the endpoints of a zone are; None for one without endpoints of its own."""
        return location(zone, self.service.issuer, self.service.url)


def load(path: Path) -> Settings:
    """Read a settings file. Raises DidNotStart with everything that is wrong with it."""
    try:
        document = tomli.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # not UTF-8 and not TOML are ValueErrors
        raise DidNotStart([f"{path}: {error}"]) from error
    return parse(document, source=str(path))


def parse(document: Mapping[str, Any], *, source: str = "settings") -> Settings:
    """Settings from a TOML document that was read already. Raises DidNotStart."""
    problems: list[str] = []
    elsewhere: dict[str, str] = {}
    # Member by member: a document that is nothing but `{env = …}` is one with an unknown member.
    found = {name: resolved(value, (name,), elsewhere, problems) for name, value in document.items()}
    ours, default = _split(found, problems)
    service = validated(Installation, ours, "", problems)
    issuer, further = ours.get("issuer"), ours.get("zones")
    wrong = _url_problems("issuer", issuer) if isinstance(issuer, str) else []
    for name in ("public_url", "reasons_url"):
        if isinstance(url := ours.get(name), str) and url:
            problems += _url_problems(name, url)
    problems += wrong
    if wrong or not isinstance(issuer, str):
        issuer = "https://unknown.invalid"  # what is wrong with it is told already
    zones = _zones({"default": default, **(further if isinstance(further, Mapping) else {})}, issuer, problems)
    if service is None or problems:
        raise DidNotStart(problems)
    return Settings(service, zones, Origins(found, source, elsewhere))


def _zones(tables: Mapping[str, Any], issuer: str, problems: list[str]) -> Mapping[str, Zone]:
    """The zones; what is wrong with each is added to `problems`, whatever else there is."""
    zones = {}
    for name, table in tables.items():
        prefix = "" if name == "default" else f"zones.{name}."
        if not isinstance(table, Mapping):
            continue  # told with the service's own keys
        if "id" in table:
            problems.append(f"{prefix}id: unknown; a zone is named by its table")
        if (zone := validated(Zone, {"issuer": issuer, **table, "id": name}, prefix, problems)) is not None:
            problems += _zone_problems(zone, prefix)
            zones[name] = zone
    problems += _named_alike(zones)
    problems += misplaced({name: zone for name, zone in zones.items() if not _url_problems("issuer", zone.issuer)}, issuer)
    return zones


def validated(shape: type[S], table: object, prefix: str, problems: list[str]) -> S | None:
    """One table as its shape; what is wrong is added to `problems`, each with its TOML path."""
    try:
        return shape.model_validate(table)
    except ValidationError as error:
        entries = error.errors(include_input=False, include_url=False)
        for entry in entries:
            where = [str(part) for part in entry["loc"]]
            path = (prefix + ".".join(where)).rstrip(".")
            if entry["type"] == "extra_forbidden":
                problems.append(f"{path}: unknown{suggestion(where[-1], _names(shape, where[:-1]))}")
            elif entry["type"] == "missing":
                problems.append(f"{path}: required")
            elif entry["type"] != "too_short" or not _inside(entry["loc"], entries):
                problems.append(f"{path}: {entry['msg'].removeprefix('Value error, ')}")
        return None


def _inside(place: tuple[int | str, ...], entries: Sequence[ErrorDetails]) -> bool:
    """Whether an item of this list is told already; then that too few good ones are left is no problem of its own."""
    return any(entry["loc"][: len(place)] == place and len(entry["loc"]) > len(place) for entry in entries)


def suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _names(shape: type[Shape], path: list[str]) -> list[str]:
    """The fields that exist where an unknown one stands, as far as the shape itself can tell."""
    for part in path:
        inner = shape.model_fields[part].annotation if part in shape.model_fields else None
        arguments = [inner, *getattr(inner, "__args__", ())]
        nested = next((a for a in arguments if isinstance(a, type) and issubclass(a, Shape)), None)
        if nested is not None:
            shape = nested
    return list(shape.model_fields)


def _split(document: Mapping[str, Any], problems: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The top level, parted into the service's own keys and those of the zone `default`."""
    ours: dict[str, Any] = {}
    default: dict[str, Any] = {}
    for name, value in document.items():
        if name in Installation.model_fields:
            ours[name] = value
        elif name in Zone.model_fields and name != "id":
            default[name] = value
        else:
            problems.append(
                f"{name}: unknown{suggestion(name, [n for n in (*Installation.model_fields, *Zone.model_fields) if n != 'id'])}"
            )
    if isinstance(zones := ours.get("zones"), Mapping) and "default" in zones:
        problems.append("zones.default: the keys of the zone `default` stand at the top level")
        ours["zones"] = {name: zone for name, zone in zones.items() if name != "default"}
    return ours, default


def _url_problems(path: str, value: str) -> list[str]:
    try:
        parts = urlsplit(value)
    except ValueError:
        return [f"{path}: must be an https URL"]
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return [f"{path}: must be an https URL"]
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return [f"{path}: http is for this machine only; use https"]
    # RFC 8414 section 2.
    return [f"{path}: must not have a query, a fragment or a user"] if parts.query or parts.fragment or "@" in parts.netloc else []


def _zone_problems(zone: Zone, prefix: str) -> list[str]:
    """What the shapes alone cannot see."""
    problems = _url_problems(f"{prefix}issuer", zone.issuer)
    if not problems and not _is_trust_domain(zone.authority):
        problems.append(f"{prefix}trust_domain: {zone.authority!r} cannot be one: it must be a host name, not an address; set it")
    if zone.ttl > zone.max_ttl:
        problems.append(f"{prefix}ttl: above max_ttl ({zone.max_ttl})")
    for name, application in zone.applications.items():
        if not APPLICATION_ID.fullmatch(name):
            problems.append(f"{prefix}applications.{name}: an id is letters, digits, dots, hyphens and underscores")
        if application.secret_hash is None and application.jwks is None:
            problems.append(f"{prefix}applications.{name}: needs secret_hash or jwks, else nobody can be it")
        if application.secret_hash is not None and not application.secret_hash.reveal().startswith(("$argon2id$", UNRESOLVED)):
            problems.append(f"{prefix}applications.{name}.secret_hash: must be an Argon2id hash, as `cambist hash-secret` prints it")
    for name, resource in zone.resources.items():
        if resource.owner is not None and resource.owner not in zone.applications:
            problems.append(
                f"{prefix}resources.{name}.owner: no application {resource.owner!r}{suggestion(resource.owner, list(zone.applications))}"
            )
    return problems


def _named_alike(zones: Mapping[str, Zone]) -> list[str]:
    """Zones that would give two parties one name (TX-43)."""
    owners: dict[str, str] = {}
    sound = {name: zone.authority for name, zone in zones.items() if not _url_problems("issuer", zone.issuer)}
    return [
        f"zones.{name}.trust_domain: {authority!r} is the trust domain of zone {other} already"
        for name, authority in sound.items()
        if (other := owners.setdefault(authority, name)) != name
    ]


def _is_trust_domain(authority: str) -> bool:
    """A name, in lower case, never an address (WIMSE identifier section 4)."""
    try:
        ipaddress.ip_address(authority)
    except ValueError:
        return re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?", authority) is not None
    return False
