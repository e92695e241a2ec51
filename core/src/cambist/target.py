"""For whom a token is asked: declared resources, or absolute URIs that only the policy can know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from .caller import Caller
from .errors import TargetInvalid, TargetMissing
from .request import Dialect, ExchangeRequest
from .zone import Resource, Zone

_CLEAN = re.compile(r"[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""Printable ASCII but for `#`, and for what RFC 3986 has no place for: space, quotation mark, < > \\ ^ ` { | }."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One audience of the token to be; `resource` is what the operator declared about it, if anything."""

    id: str
    resource: Resource | None = None


def targets(zone: Zone, request: ExchangeRequest, caller: Caller | None) -> tuple[Target, ...]:
    """Every target that was asked for, or the application's default. Raises TargetInvalid, TargetMissing: no token is for nobody."""
    asked = request.targets
    if not asked and caller and caller.application and caller.application.default_target:
        asked = (caller.application.default_target,)
    if not asked:
        raise TargetMissing(expected="audience" if request.dialect is Dialect.V1 else "resource or audience")
    return tuple(_target(zone, value) for value in asked)


def _target(zone: Zone, value: str) -> Target:
    if (resource := zone.resources.get(value)) is not None:
        return Target(id=value, resource=resource)
    if not absolute_uri(value):
        raise TargetInvalid(seen=value)
    return Target(id=value)


def absolute_uri(value: str) -> bool:
    """RFC 8707 section 2: absolute, and without a fragment. It names a host, or it is a URN: `javascript:` is nobody's audience."""
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) or (parts.scheme == "urn" and bool(parts.path))
    except ValueError:
        return False
    return _CLEAN.fullmatch(value) is not None and bool(parts.scheme) and named
