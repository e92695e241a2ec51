"""Who acts for whom: history is added to, and never rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Identity, Proven, Refusal
from cambist.caller import Caller
from cambist.delegation import delegated
from cambist.errors import ActorDenied, ChainRefused
from cambist.identifier import identifier
from cambist.identity import MayAct
from cambist.testing import ISSUER
from cambist.testing.clock import NOON
from cambist.zone import Application, KnownIdentity, Zone

from .drawing import identities, perhaps, pure
from .stage import AGENTS, DIALECTS, FOREIGN, FORGE, Asked, by, claims, staged, whole

parties = st.lists(identities, min_size=2, max_size=6, unique_by=lambda who: (who.issuer, who.subject))
"""Different ones; though one of them may be the same under another name."""


@st.composite
def hops(draw: st.DrawFn) -> tuple[Zone, Proven, Proven | None, Caller]:
    """A subject with a history, an actor or none, and a caller who may be the actor. Seldom something is wrong with them."""
    who, acting, *earlier = draw(parties)
    acting = draw(st.sampled_from((acting, acting, acting, acting, who, (earlier or [acting])[-1])))
    named = draw(st.sampled_from((None, None, None, acting, who)))
    rule = None if named is None else MayAct(issuer=named.issuer, subject=named.subject)
    subject = Proven(identity=who, expires_at=NOON + 60, chain=() if rule and draw(perhaps) else tuple(earlier), may_act=rule)
    history = draw(st.sampled_from(((), (), (), (Identity(issuer=FOREIGN, subject="x"),))))
    confirmation = draw(st.sampled_from((None, None, "thumbprint")))
    actor = Proven(identity=acting, expires_at=NOON + 60, chain=history, confirmation=confirmation)
    calling = draw(st.sampled_from((acting, acting, acting, who)))
    known = KnownIdentity(issuer=calling.issuer, subject=calling.subject)
    proven = Proven(identity=Identity(issuer=ISSUER, subject="app"), expires_at=NOON + 60)
    caller = Caller(id="app", proven=proven, method="m", application=Application(identities=(known,)))
    return Zone(issuer=ISSUER, max_chain=draw(st.integers(0, 5))), subject, draw(st.sampled_from((actor, actor, None))), caller


def chained(hop: tuple[Zone, Proven, Proven | None, Caller]) -> tuple[Identity, ...] | None:
    """The chain, if there is one; whatever else comes of it must be one of these refusals."""
    try:
        return delegated(*hop)
    except (ActorDenied, ChainRefused):
        return None


@pure
@given(hops())
def test_a_chain_only_grows_at_its_outer_end(hop: tuple[Zone, Proven, Proven | None, Caller]) -> None:
    """I5."""
    _, subject, actor, _ = hop
    if (chain := chained(hop)) is not None:
        assert chain == ((actor.identity, *subject.chain) if actor else subject.chain)


@pure
@given(hops())
def test_a_chain_is_never_longer_than_the_zone_allows_and_names_nobody_twice(hop: tuple[Zone, Proven, Proven | None, Caller]) -> None:
    """E4: nor the subject, by whichever of its names it comes."""
    zone, subject, _, _ = hop
    if (chain := chained(hop)) is not None:
        parties = [identifier(zone, who) for who in (subject.identity, *chain)]
        assert len(chain) <= zone.max_chain
        assert len(set(parties)) == len(parties)


@pure
@given(hops())
def test_nobody_acts_for_another_without_a_rule_or_its_own_proof(hop: tuple[Zone, Proven, Proven | None, Caller]) -> None:
    """E1 to E3, E5: the subject's may_act names the actor, or the actor is the caller, or holds the key of its token."""
    zone, subject, actor, caller = hop
    if chained(hop) is None:
        return
    if (rule := subject.may_act) is not None:
        assert actor is not None, "the rule was dropped in silence"
        assert identifier(zone, actor.identity) == identifier(zone, Identity(issuer=rule.issuer, subject=rule.subject))
    elif actor is not None:
        assert caller.is_also(zone, actor.identity) or actor.confirmation is not None


@pure
@given(hops())
def test_an_actor_who_is_the_caller_and_new_in_the_chain_may_act(hop: tuple[Zone, Proven, Proven | None, Caller]) -> None:
    """So that the promises above are not kept by refusing everybody."""
    zone, subject, actor, caller = hop
    if actor is None or actor.chain or subject.may_act is not None or not caller.is_also(zone, actor.identity):
        return
    parties = [identifier(zone, who) for who in (subject.identity, actor.identity, *subject.chain)]
    if len(set(parties)) == len(parties) and len(subject.chain) < zone.max_chain:
        assert delegated(*hop)[0] == actor.identity
    else:
        with pytest.raises(Refusal):
            delegated(*hop)


def nested(actors: Sequence[str]) -> dict[str, Any] | None:
    """`act` of actors, the latest first, as RFC 8693 section 4.1 writes it."""
    if not actors:
        return None
    inner = nested(actors[1:])
    name = identifier(Zone(issuer=ISSUER), Identity(issuer=FOREIGN, subject=actors[0]))
    return {"sub": name} if inner is None else {"sub": name, "act": inner}


@pytest.mark.row("J-actor")
@whole
@given(st.lists(st.tuples(st.sampled_from(AGENTS), st.booleans(), st.sampled_from(DIALECTS)), min_size=1, max_size=5))
async def test_over_any_number_of_hops_a_token_tells_who_acted_and_still_is_for_whom_it_was(hops: list[tuple[str, bool, str]]) -> None:
    """Through the service, each hop by the token of the one before; whoever acted already is refused, and nothing is lost."""
    acted: list[str] = []
    async with staged(max_chain=3) as running:
        token, subject, ends, transaction = FORGE.jwt(sub="ann", exp=int(FORGE.clock()) + 100), None, None, None
        for agent, acts, dialect in hops:
            members = {"subject_token": token, "audience": ISSUER, "scope": "read", **by(agent)}
            if acts:
                members |= {"actor_token": FORGE.jwt(sub=agent), "actor_token_type": "urn:ietf:params:oauth:token-type:jwt"}
            answer = await Asked(running, dialect, members).answer()
            if acts and (agent in acted or len(acted) == 3):
                assert answer.json()["reason"] == "delegation_chain_refused"
                continue
            acted = [agent, *acted] if acts else acted
            told = claims(answer)
            assert told.get("act") == nested(acted)
            assert told["client_id"] == agent
            assert subject in (None, told["sub"])
            assert transaction in (None, told["txn"])
            assert ends is None or told["exp"] <= ends
            token, subject, ends, transaction = answer.json()["access_token"], told["sub"], told["exp"], told["txn"]
