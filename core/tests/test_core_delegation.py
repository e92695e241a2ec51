"""Chains of actors only grow, at their outer end; nobody is added without a rule, and nobody twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.caller import Caller
from cambist.delegation import delegated
from cambist.errors import ActorDenied, ChainRefused
from cambist.identifier import identifier
from cambist.identity import Identity, MayAct, Proven
from cambist.zone import Application, KnownIdentity, Zone

ISSUER = "https://issuer.test"
ZONE = Zone(issuer="https://sts.test", max_chain=5)


def who(subject: str, issuer: str = ISSUER) -> Identity:
    return Identity(issuer=issuer, subject=subject)


def proven(subject: str | Identity, **more: Any) -> Proven:
    identity = subject if isinstance(subject, Identity) else who(subject)
    return Proven(**{"identity": identity, "expires_at": 100.0, **more})


def application(name: str = "ci", **known: str) -> Caller:
    identities = tuple(KnownIdentity(issuer=issuer, subject=subject) for subject, issuer in known.items())
    return Caller(id=name, proven=proven(who(name, ZONE.issuer)), method="m", application=Application(identities=identities))


NAMES = st.integers(0, 8).map(str)
PROOFS = st.builds(
    proven,
    NAMES,
    chain=st.lists(NAMES.map(who), max_size=6).map(tuple),
    may_act=st.none() | st.builds(MayAct, subject=NAMES, issuer=st.just(ISSUER)),
    confirmation=st.none() | st.just("thumbprint"),
)


@given(PROOFS, st.none() | PROOFS, st.dictionaries(NAMES, st.just(ISSUER), max_size=3))
def test_a_chain_only_grows_at_its_outer_end(subject: Proven, actor: Proven | None, known: dict[str, str]) -> None:
    caller = application(**known)
    try:
        chain = delegated(ZONE, subject, actor, caller)
    except (ActorDenied, ChainRefused):
        return
    assert chain == (subject.chain if actor is None else (actor.identity, *subject.chain))
    assert len(chain) <= ZONE.max_chain
    assert len({(i.issuer, i.subject) for i in (subject.identity, *chain)}) == len(chain) + 1
    if subject.may_act is not None:
        assert actor is not None
        assert actor.identity.subject == subject.may_act.subject
    elif actor is not None:
        assert actor.confirmation or actor.identity.subject in known


def test_without_an_actor_the_chain_is_that_of_the_subject() -> None:
    assert delegated(ZONE, proven("a"), None, application()) == ()
    assert delegated(ZONE, proven("a", chain=(who("b"),)), None, application()) == (who("b"),)


@pytest.mark.row("J-actor")
def test_the_actor_that_may_act_names_is_accepted_from_anybody() -> None:
    subject = proven("a", may_act=MayAct(subject="b", issuer=ISSUER))
    assert delegated(ZONE, subject, proven("b"), application()) == (who("b"),)


@pytest.mark.row("J-actor")
@pytest.mark.parametrize("actor", [None, proven("c"), proven(who("b", "https://other.test")), proven("B")])
def test_nobody_but_whom_may_act_names_acts(actor: Proven | None) -> None:
    """TX-31, E2, E3: a missing actor too, else the rule would be dropped in silence."""
    subject = proven("a", may_act=MayAct(subject="b", issuer=ISSUER))
    with pytest.raises(ActorDenied, match="may_act names") as refused:
        delegated(ZONE, subject, actor, application(c=ISSUER, B=ISSUER))
    assert (refused.value.expected, refused.value.seen) == ("b", None if actor is None else actor.identity.subject)


def test_a_subject_with_both_act_and_may_act_is_refused() -> None:
    """E7."""
    subject = proven("a", may_act=MayAct(subject="b", issuer=ISSUER), chain=(who("c"),))
    with pytest.raises(ActorDenied, match="both act and may_act"):
        delegated(ZONE, subject, proven("b"), application())


@pytest.mark.row("J-actor")
def test_without_a_rule_the_actor_is_the_application_or_proves_possession() -> None:
    """Decision 4, E5: a borrowed actor token is nobody's consent."""
    with pytest.raises(ActorDenied, match="neither the authenticated application nor proved with possession"):
        delegated(ZONE, proven("a"), proven("robot"), application())
    assert delegated(ZONE, proven("a"), proven("robot"), application(robot=ISSUER)) == (who("robot"),)
    assert delegated(ZONE, proven("a"), proven("robot", confirmation="t"), application()) == (who("robot"),)
    with pytest.raises(ActorDenied):
        delegated(ZONE, proven("a"), proven("robot"), application(robot="https://other.test"))


def test_an_application_acts_by_a_token_that_the_zone_gave_it() -> None:
    token = proven(who(identifier(ZONE, who("ci", ZONE.issuer)), ZONE.issuer))
    assert delegated(ZONE, proven("a"), token, application("ci")) == (token.identity,)
    with pytest.raises(ActorDenied):
        delegated(ZONE, proven("a"), token, application("cd"))


@pytest.mark.row("J-actor")
@pytest.mark.parametrize(("depth", "fits"), [(4, True), (5, False), (6, False)])
def test_a_chain_ends_at_the_cap(depth: int, fits: bool) -> None:
    """TX-29: five actors, in and out."""
    subject = proven("a", chain=tuple(who(f"actor-{n}") for n in range(depth)))
    if fits:
        assert len(delegated(ZONE, subject, proven("b", confirmation="t"), application())) == 5
    else:
        with pytest.raises(ChainRefused, match="longer than 5") as refused:
            delegated(ZONE, subject, proven("b", confirmation="t"), application())
        assert (refused.value.expected, refused.value.seen) == (5, depth + 1)


def test_a_chain_that_came_in_too_long_is_refused_too() -> None:
    with pytest.raises(ChainRefused, match="longer than 5"):
        delegated(ZONE, proven("a", chain=tuple(who(str(n)) for n in range(6))), None, application())


def test_where_no_chain_is_allowed_nobody_acts() -> None:
    zone = Zone(issuer="https://sts.test", max_chain=0)
    assert delegated(zone, proven("a"), None, application()) == ()
    with pytest.raises(ChainRefused):
        delegated(zone, proven("a"), proven("b", confirmation="t"), application())


def test_an_actor_that_was_delegated_itself_is_refused() -> None:
    with pytest.raises(ChainRefused, match="must not be delegated itself"):
        delegated(ZONE, proven("a"), proven("b", confirmation="t", chain=(who("c"),)), application())


@pytest.mark.row("J-actor")
@pytest.mark.parametrize(
    "twice",
    [
        who("b"),
        who("c"),
        who("a"),
        who(identifier(ZONE, who("a")), ZONE.issuer),
        who(identifier(ZONE, who("b")), ZONE.issuer),
    ],
)
def test_nobody_is_in_a_chain_twice_under_any_name(twice: Identity) -> None:
    """E4; also who came by a foreign token first and comes by a token of the zone now."""
    subject = proven("a", chain=(who("b"), who("c")))
    with pytest.raises(ChainRefused, match="appears twice"):
        delegated(ZONE, subject, proven(twice, confirmation="t"), application())


def test_one_subject_of_two_issuers_is_two_parties() -> None:
    other = who("a", "https://other.test")
    assert delegated(ZONE, proven("a"), proven(other, confirmation="t"), application()) == (other,)
