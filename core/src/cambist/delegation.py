"""Who acts for whom: chains of actors, and who may be added to one. Pure.

Parties are compared by their names in the zone, so that who comes by a token of the zone is still who it was.
"""

from __future__ import annotations

from .caller import Caller
from .errors import ActorDenied, ChainRefused
from .identifier import identifier
from .identity import Identity, Proven
from .zone import Zone


def delegated(zone: Zone, subject: Proven, actor: Proven | None, caller: Caller) -> tuple[Identity, ...]:
    """The chain of actors of the token to be, the latest first. It only grows, at its outer end.

    Raises ActorDenied when the actor may not act here, ChainRefused when the chain is too deep or loops.
    """
    _may_act(zone, subject, actor, caller)
    chain = subject.chain if actor is None else (actor.identity, *subject.chain)
    if actor is not None and actor.chain:
        raise ChainRefused("an actor token must not be delegated itself")
    if len(chain) > zone.max_chain:
        raise ChainRefused(f"the chain of actors is longer than {zone.max_chain}", expected=zone.max_chain, seen=len(chain))
    if chain and _loops(zone, subject.identity, chain):
        raise ChainRefused("an actor appears twice in the chain, or acts for itself")
    return chain


def _may_act(zone: Zone, subject: Proven, actor: Proven | None, caller: Caller) -> None:
    rule = subject.may_act
    if rule is not None:
        if subject.chain:
            raise ActorDenied("the subject token has both act and may_act")
        # Without an actor the rule would be dropped in silence, so that is refused too (RFC 8693 section 4.4).
        named = identifier(zone, Identity(issuer=rule.issuer, subject=rule.subject))
        if actor is None or identifier(zone, actor.identity) != named:
            acting = None if actor is None else actor.identity.subject
            raise ActorDenied("the actor is not the one that the subject token's may_act names", expected=rule.subject, seen=acting)
        return
    # Without a rule of the subject's own, an actor is the caller itself; a borrowed actor token is nobody's consent.
    if actor is not None and not caller.is_also(zone, actor.identity) and actor.confirmation is None:
        said = "the actor is neither the authenticated application nor proved with possession"
        raise ActorDenied(said, expected=caller.id, seen=identifier(zone, actor.identity))


def _loops(zone: Zone, subject: Identity, chain: tuple[Identity, ...]) -> bool:
    parties = [identifier(zone, identity) for identity in (subject, *chain)]
    return len(set(parties)) != len(parties)
