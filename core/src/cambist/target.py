"""For whom a token is asked: declared resources, or absolute URIs that only the policy can know."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .caller import Caller
from .errors import TargetInvalid, TargetMissing
from .identity import Proven
from .request import Dialect, ExchangeRequest
from .value import Value
from .zone import Resource, Zone

_CLEAN = re.compile(r"[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""Printable ASCII but for `#`, and for what RFC 3986 has no place for: space, quotation mark, < > \\ ^ ` { | }."""


class Target(Value, frozen=True, kw_only=True):
    """One audience of the token to be; `resource` is what the operator declared about it, if anything."""

    id: str
    resource: Resource | None = None


def targets(zone: Zone, request: ExchangeRequest, caller: Caller | None, subject: Proven) -> tuple[Target, ...]:
    """Every target that was asked for, else the application's default, else the subject's issuer's (decision 8).

    Raises TargetInvalid, TargetMissing: no token is for nobody.
    """
    application = caller.application if caller else None
    default = (application.default_target if application else None) or subject.default_target
    asked = request.targets or ((default,) if default else ())
    if not asked:
        raise TargetMissing(expected="audience" if request.dialect is Dialect.V1 else "resource or audience")
    return tuple([_target(zone, value) for value in asked])


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
