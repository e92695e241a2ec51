"""Whether everything that a request named is still accepted: its tokens, who they name, and who vouched for them.

Tokens of a zone carry the transaction at their root and the name of everybody before them, so that what is revoked takes
along what was exchanged from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .credential import Role
from .errors import Revoked
from .identifier import identifier, named
from .identity import Identity, Proven
from .policy import PolicyInput
from .revocation import Kind, Named, Revocations
from .zone import Zone


async def standing(revocations: Revocations, question: PolicyInput) -> None:
    """Raises Revoked, Unavailable when it cannot be known."""
    if not await revocations.any():
        return
    zone, client = question.zone, question.client
    for role, proven in ((Role.SUBJECT, question.subject), (Role.ACTOR, question.actor), (Role.CLIENT, client.proven)):
        if proven is not None:
            _accepted(zone, revocations, of_proof(zone, proven), role)
    called = (Named(Kind.APPLICATION, (client.id,)),) if client.application else ()
    _accepted(zone, revocations, called, Role.CLIENT)


def _accepted(zone: Zone, revocations: Revocations, names: Iterable[Named], role: Role) -> None:
    if (found := revocations.among(zone.id, names)) is not None:
        refusal = Revoked(kind=found.kind, named=list(found.parts), since=found.at, why=found.reason)
        refusal.role = role
        raise refusal


def of_proof(zone: Zone, proven: Proven) -> Iterator[Named]:
    """Everything by which what was proved could be revoked."""
    issuer = proven.identity.issuer
    yield from _of_party(zone, proven.identity)
    if proven.token_id is not None:
        yield Named(Kind.TOKEN, (issuer, proven.token_id))
    if proven.key_id is not None:
        yield Named(Kind.KEY, (issuer, proven.key_id))
    if proven.transaction is not None:
        yield Named(Kind.TRANSACTION, (proven.transaction,))
    for party in proven.chain:
        yield from _of_party(zone, party)
    if issuer == zone.issuer and isinstance(asked := proven.identity.attributes.get("client_id"), str):
        yield Named(Kind.APPLICATION, (asked,))  # who asked for a token of this zone


def _of_party(zone: Zone, party: Identity) -> Iterator[Named]:
    """Whoever comes by a token of this zone is still who it was at its issuer."""
    name = identifier(zone, party)
    origin = named(zone, name) or party
    yield Named(Kind.SUBJECT, (name,))
    yield Named(Kind.ISSUER, (origin.issuer,))
    own = origin.subject if origin.issuer == zone.issuer else zone.by_identity.get((origin.issuer, origin.subject))
    if own is not None:
        yield Named(Kind.APPLICATION, (own,))
