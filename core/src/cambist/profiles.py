"""An entitlement becomes claims, for each kind of output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .entitlement import Entitlement
from .errors import IdentifierTooLong
from .identifier import MAX_LENGTH, identifier
from .identity import Identity
from .random_id import random_id
from .request import Dialect
from .zone import Zone

CLAIMS: Mapping[str, str] = {
    "iss": "The zone that issued it.",
    "sub": "The subject, by its workload identifier.",
    "aud": "For whom it is: one target, a list only where the policy allows several.",
    "exp": "When it ends, in seconds since 1970: never later than the subject's or the actor's own credential.",
    "iat": "When it was issued.",
    "jti": "Its own id: 128 random bits.",
    "client_id": "The application that asked for it; the subject itself where its credential authenticated the call.",
    "scope": "The scopes that were granted, if any.",
    "act": "Who acts for the subject now, and inside who acted before (RFC 8693 section 4.1).",
    "txn": "The transaction: the id of the decision at its root, the same over all hops (RFC 8417 section 2.2).",
    "zone_id": "The zone, by name.",
    "exec": "The one HTTP action that it is for: htm, htu, nonce, payload_hash.",
    "td": "The trust domain of `sub`; JSON dialect only.",
    "obo": "On whose behalf, root first, as clients of the JSON dialect read it; JSON dialect only.",
}
"""The claims that we write, and what they mean."""

PROTECTED = frozenset({*CLAIMS, "nbf", "cnf", "may_act", "use"})
"""Claims that say who, for whom and how long: a policy may add others, never these."""

WORKLOAD_CLAIMS = frozenset({"caps", "blast_radius", "delegation_depth"})
"""Claims of the policy that only clients of the JSON dialect expect."""


def access_token(zone: Zone, entitlement: Entitlement, transaction: str) -> Mapping[str, Any]:
    """Claims of an access token (RFC 9068), with a workload identifier for its subject. Raises IdentifierTooLong."""
    audience = entitlement.audience
    claims: dict[str, Any] = {
        "iss": zone.issuer,
        "sub": name(zone, entitlement.subject),
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "exp": entitlement.expires_at,
        "iat": entitlement.issued_at,
        "jti": random_id(),
        "client_id": entitlement.client_id,
        "txn": entitlement.transaction or transaction,
        "zone_id": zone.id,
    }
    if entitlement.scope:
        claims["scope"] = " ".join(entitlement.scope)
    if entitlement.chain:
        claims["act"] = _act(zone, entitlement.chain)
    if entitlement.execution:
        claims["exec"] = entitlement.execution.document()
    return _added(zone, entitlement, claims)


def name(zone: Zone, identity: Identity) -> str:
    if len(found := identifier(zone, identity)) > MAX_LENGTH:
        raise IdentifierTooLong()
    return found


def _act(zone: Zone, chain: Sequence[Identity]) -> Mapping[str, Any]:
    """The latest actor outermost; nothing but names inside (RFC 8693 section 4.1)."""
    first, *earlier = chain
    inner = {"act": _act(zone, earlier)} if earlier else {}
    return {"sub": name(zone, first), **inner}


def _added(zone: Zone, entitlement: Entitlement, claims: dict[str, Any]) -> Mapping[str, Any]:
    for_workloads = entitlement.dialect is Dialect.V1
    left_out = PROTECTED if for_workloads else PROTECTED | WORKLOAD_CLAIMS
    if entitlement.claims:
        claims |= {key: value for key, value in entitlement.claims.items() if key not in left_out}
    if for_workloads:
        claims["td"] = zone.authority
        if entitlement.chain:
            # Root first, direct parent last, as its clients read it.
            claims["obo"] = [name(zone, entitlement.subject), *(name(zone, who) for who in reversed(entitlement.chain[1:]))]
    return claims
