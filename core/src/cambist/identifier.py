"""The one name that each party has in tokens of a zone: a WIMSE workload identifier.

    wimse://<trust domain>/issuer/<issuer>/subject/<subject>      somebody whom another issuer vouches for
    wimse://<trust domain>/application/<id>                       an application of the zone

Letters, digits, dots and hyphens stand for themselves; every other byte is `_` and two hex digits. So the mapping is
reversible, and two different (issuer, subject) pairs never share a name (RFC 8725bis section 3.8): not by case, not by
slashes, not by an issuer that calls its subject what another calls its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import CredentialMalformed
from .identity import Identity
from .zone import Zone

MAX_LENGTH = 2048
"""Bytes of a whole identifier (WIMSE identifier section 4.1)."""

_UNSAFE = re.compile("[^A-Za-z0-9.-]")
_ESCAPED = re.compile("_([0-9a-f]{2})")


def identifier(zone: Zone, identity: Identity) -> str:
    """The name of an identity in this zone. It can be longer than MAX_LENGTH: who mints it checks."""
    if identity.issuer != zone.issuer:
        return _foreign(zone.authority, identity.issuer, identity.subject)
    root = f"wimse://{zone.authority}/"
    # A token of this zone names its subject by identifier already; an application's id cannot look like one.
    return identity.subject if identity.subject.startswith(root) else f"{root}application/{segment(identity.subject)}"


@lru_cache(1024)
def _foreign(authority: str, issuer: str, subject: str) -> str:
    return f"wimse://{authority}/issuer/{segment(issuer)}/subject/{segment(subject)}"


def named(zone: Zone, name: str) -> Identity | None:
    """Whom an identifier of this zone names: somebody at another issuer, or an application of the zone; None: it is none."""
    match name.removeprefix(f"wimse://{zone.authority}/").split("/"):
        case ["issuer", issuer, "subject", subject]:
            return Identity(issuer=plain(issuer), subject=plain(subject))
        case ["application", application]:
            return Identity(issuer=zone.issuer, subject=plain(application))
    return None


@lru_cache(1024)
def segment(text: str) -> str:
    """One path segment, safe under every reading of a URI (WIMSE identifier section 7.1)."""
    escaped = _UNSAFE.sub(_escape, text)
    return escaped.replace(".", "_2e") if escaped.strip(".") == "" else escaped


def _escape(found: re.Match[str]) -> str:
    return "".join(f"_{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


def plain(segment: str) -> str:
    """The text that a segment stands for."""
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), segment).encode("latin-1")
    return raw.decode("utf-8", "surrogatepass")


# SPIFFE ID sections 2.1 to 2.3, of which WIMSE identifiers like ours are a part too: no port, no user, no query, no escape.
_WORKLOAD = re.compile(r"(spiffe|wimse)://([a-z0-9._-]{1,255})((?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)*)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A workload identifier, taken apart. Its text is its only spelling: it is compared letter by letter, never normalised."""

    scheme: str
    trust_domain: str
    path: str

    @property
    def origin(self) -> str:
        """Scheme and trust domain: what an issuer is bound to that may name its workloads so."""
        return f"{self.scheme}://{self.trust_domain}"


def parsed(text: str) -> Parsed:
    """A SPIFFE ID, or a WIMSE identifier. Raises CredentialMalformed."""
    found = _WORKLOAD.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise CredentialMalformed("not a workload identifier")
    return Parsed(*found.groups())
