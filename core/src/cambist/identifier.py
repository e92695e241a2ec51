"""The one name that each party has in tokens of a zone: a WIMSE workload identifier.

    wimse://<trust domain>/issuer/<issuer>/subject/<subject>      somebody whom another issuer vouches for
    wimse://<trust domain>/application/<id>                       an application of the zone

Letters, digits, dots and hyphens stand for themselves; every other byte is `_` and two hex digits. So the mapping is
reversible, and two different (issuer, subject) pairs never share a name (RFC 8725bis section 3.8): not by case, not by
slashes, not by an issuer that calls its subject what another calls its own.
"""

from __future__ import annotations

import re

from .identity import Identity
from .zone import Zone

MAX_LENGTH = 2048
"""Bytes of a whole identifier (WIMSE identifier section 4.1)."""

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
_ESCAPED = re.compile("_([0-9a-f]{2})")


def identifier(zone: Zone, identity: Identity) -> str:
    """The name of an identity in this zone. It can be longer than MAX_LENGTH: who mints it checks."""
    root = f"wimse://{zone.authority}/"
    if identity.issuer != zone.issuer:
        return f"{root}issuer/{segment(identity.issuer)}/subject/{segment(identity.subject)}"
    # A token of this zone names its subject by identifier already; an application's id cannot look like one.
    return identity.subject if identity.subject.startswith(root) else f"{root}application/{segment(identity.subject)}"


def segment(text: str) -> str:
    """One path segment, safe under every reading of a URI (WIMSE identifier section 7.1)."""
    escaped = "".join(chr(byte) if byte in _SAFE else f"_{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    return escaped.replace(".", "_2e") if escaped.strip(".") == "" else escaped


def plain(segment: str) -> str:
    """The text that a segment stands for."""
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment).encode("latin-1")
    return raw.decode("utf-8", "surrogatepass")
