"""Never more than asked, permitted and proven: scope, audience and lifetime."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Credential, Deny, Permit, PolicyInput, Proven, Role
from cambist.caller import Caller
from cambist.entitlement import Entitlement
from cambist.errors import Denied, Expired, LifetimeAboveCap, ScopeDenied, TargetDenied
from cambist.identity import Identity
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.target import Target
from cambist.testing import question
from cambist.token_type import JWT
from cambist.value import replace
from cambist.zone import TOKEN_EXCHANGE, Resource, Zone

NOW = 1_800_000_000.25
SCOPES = st.sets(st.sampled_from("abcdef")).map(frozenset)
BOUNDS = st.none() | SCOPES
TTLS = st.none() | st.integers(1, 5000)
ENDS = st.just(math.inf) | st.floats(NOW - 10, NOW + 5000)
ACTION = ExecutionScope(htm="GET", htu="https://api.test/", nonce="n")


def who(subject: str) -> Identity:
    return Identity(issuer="https://issuer.test", subject=subject)


def proven(subject: str = "a", **more: Any) -> Proven:
    return Proven(**{"identity": who(subject), "expires_at": math.inf, **more})


def asked(**more: Any) -> ExchangeRequest:
    return ExchangeRequest(**{"dialect": Dialect.V1, "grant_type": TOKEN_EXCHANGE, **more})


def put(**more: Any) -> PolicyInput:
    return question(**{"now": NOW, "subject": proven(), "request": asked(), **more})


QUESTIONS = st.builds(
    put,
    zone=st.builds(
        Zone, issuer=st.just("https://sts.test"), ttl=st.integers(1, 4000), max_ttl=st.integers(1, 4000), execution_ttl=st.just(30)
    ),
    request=st.builds(
        asked,
        scope=st.lists(st.sampled_from("abcdef"), unique=True).map(tuple),
        ttl=TTLS,
        execution=st.none() | st.just(ACTION),
    ),
    subject=st.builds(proven, scope=BOUNDS, expires_at=ENDS),
    actor=st.none() | st.builds(proven, st.just("b"), scope=BOUNDS, expires_at=ENDS),
    targets=st.lists(
        st.builds(Target, id=st.sampled_from("xyz"), resource=st.none() | st.builds(Resource, scopes=BOUNDS, ttl=TTLS)),
        min_size=1,
        max_size=3,
        unique_by=lambda target: target.id,
    ).map(tuple),
)
PERMITS = st.builds(Permit, scope=BOUNDS, ttl=TTLS, multi_audience=st.booleans())


@pytest.mark.row("F-scope")
@pytest.mark.row("J-scope")
@pytest.mark.row("F-ttl")
@given(QUESTIONS, PERMITS)
def test_never_more_than_asked_permitted_and_proven(q: PolicyInput, permit: Permit) -> None:
    try:
        found = Entitlement.narrowest(q, permit)
    except (ScopeDenied, TargetDenied, LifetimeAboveCap, Expired):
        return
    bounds = [frozenset(q.request.scope), permit.scope, q.subject.scope, *(t.resource.scopes for t in q.targets if t.resource)]
    assert set(found.scope) == frozenset.intersection(*(frozenset(b) for b in bounds if b is not None))
    assert list(found.scope) == [scope for scope in q.request.scope if scope in found.scope]
    assert found.audience == tuple(target.id for target in q.targets)
    assert len(found.audience) == 1 or permit.multi_audience
    assert (found.subject, found.chain, found.client_id) == (q.subject.identity, q.chain, q.client.id)

    assert found.issued_at == int(NOW)
    assert 0 < found.lifetime <= q.zone.max_ttl
    usual = [t.resource.ttl if t.resource and t.resource.ttl else q.zone.ttl for t in q.targets]  # a resource says its own, else the zone
    caps = [*([q.request.ttl] if q.request.ttl else usual), permit.ttl, *(t.resource.ttl for t in q.targets if t.resource)]
    caps += [30] if q.request.execution else []
    assert all(found.lifetime <= cap for cap in caps if cap is not None)
    assert all(found.expires_at <= p.expires_at for p in (q.subject, q.actor) if p is not None)


@given(QUESTIONS, PERMITS)
def test_a_narrower_permit_never_yields_more(q: PolicyInput, permit: Permit) -> None:
    """E10: of two bounds the narrower wins, in any order."""

    def outcome(given: Permit) -> tuple[frozenset[str], int]:
        try:
            found = Entitlement.narrowest(q, given)
        except (ScopeDenied, TargetDenied, LifetimeAboveCap, Expired):
            return frozenset(), 0
        return frozenset(found.scope), found.lifetime

    wide = frozenset("abcdef") if permit.scope is None else permit.scope
    narrower = replace(permit, scope=wide - {"a", "b"}, ttl=min(permit.ttl or 5000, 20))
    assert outcome(narrower)[0] <= outcome(permit)[0]
    assert outcome(narrower)[1] <= outcome(permit)[1] or outcome(permit)[1] == 0


# ── denied ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_denial_says_what_its_rule_marks_public_and_keeps_the_rest() -> None:
    """J-policy."""
    with pytest.raises(Denied) as refused:
        Entitlement.narrowest(put(), Deny(reasons=("internal", "insufficient blast radius"), said=("insufficient blast radius",)))
    assert type(refused.value) is Denied
    assert refused.value.said == "policy denied: insufficient blast radius"
    assert refused.value.facts == {"reasons": ["internal", "insufficient blast radius"]}
    with pytest.raises(Denied, match="does not allow this"):
        Entitlement.narrowest(put(), Deny(reasons=("internal",)))


def test_a_denial_says_what_the_policy_was_asked() -> None:
    """A rule is often written for a name that is spelled otherwise."""
    asked_for = {"issuer": "https://issuer.test", "subject": "a", "targets": ["x"], "scope": ["s"]}
    for actor, acting in ((None, {}), (proven("b"), {"actor": "b"})):
        with pytest.raises(Denied) as refused:
            Entitlement.narrowest(put(targets=(Target(id="x"),), request=asked(scope=("s",)), actor=actor), Deny())
        assert refused.value.seen == {**asked_for, **acting}


@pytest.mark.row("F-resource")
def test_a_denied_target_is_named() -> None:
    with pytest.raises(TargetDenied) as refused:
        Entitlement.narrowest(put(), Deny(targets=("https://b.test",), reasons=("no",)))
    assert (refused.value.seen, refused.value.facts) == (["https://b.test"], {"reasons": ["no"]})


def test_one_audience_unless_the_policy_says_otherwise() -> None:
    """TX-11."""
    two = put(targets=(Target(id="x"), Target(id="y")))
    with pytest.raises(TargetDenied, match="one audience") as refused:
        Entitlement.narrowest(two, Permit())
    assert refused.value.seen == ["x", "y"]
    assert Entitlement.narrowest(two, Permit(multi_audience=True)).audience == ("x", "y")


@pytest.mark.row("F-scope")
def test_when_no_scope_is_left_nothing_is_granted_and_when_none_was_asked_none() -> None:
    """TX-15, and nothing asked is nothing granted."""
    with pytest.raises(ScopeDenied) as refused:
        Entitlement.narrowest(put(request=asked(scope=("b", "a"))), Permit(scope=frozenset("c")))
    assert refused.value.seen == ["b", "a"]
    assert Entitlement.narrowest(put(subject=proven(scope=frozenset("a"))), Permit(scope=frozenset("a"))).scope == ()


def test_an_actor_lends_no_scope() -> None:
    q = put(request=asked(scope=("a",)), actor=proven("b", scope=frozenset()))
    assert Entitlement.narrowest(q, Permit()).scope == ("a",)


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("F-ttl")
def test_a_lifetime_above_the_cap_is_refused_and_names_it() -> None:
    """Decision 15."""
    zone = Zone(issuer="https://sts.test", max_ttl=600)
    assert Entitlement.narrowest(put(zone=zone, request=asked(ttl=600)), Permit()).lifetime == 600
    with pytest.raises(LifetimeAboveCap, match="600 seconds") as refused:
        Entitlement.narrowest(put(zone=zone, request=asked(ttl=601)), Permit())
    assert (refused.value.expected, refused.value.seen) == (600, 601)


@pytest.mark.row("F-ttl")
@pytest.mark.parametrize(
    ("changes", "permit", "lifetime"),
    [
        ({}, Permit(), 300),
        ({}, Permit(ttl=60), 60),
        ({}, Permit(ttl=900), 300),
        ({"request": asked(ttl=900)}, Permit(ttl=60), 60),
        ({"request": asked(ttl=900)}, Permit(), 900),
        ({"request": asked(execution=ACTION)}, Permit(), 30),
        ({"request": asked(execution=ACTION, ttl=900)}, Permit(), 30),
        ({"request": asked(execution=ACTION, ttl=10)}, Permit(), 10),
        ({"subject": proven(expires_at=NOW + 20.9)}, Permit(), 21),
        ({"actor": proven("b", expires_at=NOW + 20)}, Permit(), 20),
        ({"targets": (Target(id="x", resource=Resource(ttl=120)),)}, Permit(), 120),
    ],
)
def test_every_other_bound_shortens_silently(changes: dict[str, Any], permit: Permit, lifetime: int) -> None:
    """TX-36."""
    assert Entitlement.narrowest(put(**changes), permit).lifetime == lifetime


@pytest.mark.parametrize("left", [0.0, 0.5, -5.0])
def test_when_less_than_a_second_is_left_nothing_is_issued(left: float) -> None:
    for changes in ({"subject": proven(expires_at=int(NOW) + left)}, {"actor": proven("b", expires_at=int(NOW) + left)}):
        with pytest.raises(Expired, match="less than a second"):
            Entitlement.narrowest(put(**changes), Permit())


def test_the_proof_of_the_application_bounds_nothing() -> None:
    caller = Caller(id="ci", proven=proven("ci", expires_at=NOW + 1), method="m")
    assert Entitlement.narrowest(put(client=caller), Permit()).lifetime == 300


def test_what_is_accepted_once_is_spent_in_the_role_that_it_was_sent_in() -> None:
    once = proven("b", token_id="j", single_use_until=NOW + 60)
    client = Caller(id="b", proven=once, method="any")
    (mark,) = Entitlement.narrowest(put(actor=once), Permit()).marks
    assert (mark.kind, mark.role, mark.expires_at) == ("credential", "actor", NOW + 60)
    sent = asked(subject=Credential(token="t", token_type=JWT, role=Role.SUBJECT))
    for request, role in ((sent, "subject"), (asked(), "client")):
        (mark,) = Entitlement.narrowest(put(subject=once, client=client, request=request), Permit()).marks
        assert mark.role == role


def test_an_id_that_is_no_text_in_utf_8_is_spent_like_any_other() -> None:
    """JSON can say half of a surrogate pair; whoever sends one must neither break us nor share a mark with somebody."""
    ids = ["\ud800", "\ud801", "?", "\ufffd"]
    marks = [Entitlement.narrowest(put(subject=proven(token_id=name, single_use_until=NOW + 60)), Permit()).marks for name in ids]
    assert len({mark.key for (mark,) in marks}) == len(ids)


def test_a_nonce_is_spent_once_for_a_subject_and_its_targets_and_by_nobody_else() -> None:
    """SF-12: the same nonce of somebody else, or for another target, is another nonce."""

    def key(**more: Any) -> str:
        (mark,) = Entitlement.narrowest(put(**{"request": asked(execution=ACTION), "targets": (Target(id="x"),), **more}), Permit()).marks
        assert mark.kind == "nonce"
        return mark.key

    other = {
        "request": asked(execution=replace(ACTION, nonce="m")),
        "subject": proven("b"),
        "targets": (Target(id="y"),),
    }
    assert len({key(), *(key(**{name: value}) for name, value in other.items())}) == 4
    elsewhere = replace(ACTION, htm="POST", htu="https://other.test/")
    assert key() == key(request=asked(execution=elsewhere))


def test_two_releases_that_share_a_store_call_a_mark_alike() -> None:
    """While one replaces the other, what was spent at one must be spent at both."""
    (mark,) = Entitlement.narrowest(put(subject=proven(token_id="j", single_use_until=NOW + 60)), Permit()).marks
    told = b"".join(len(part).to_bytes(4, "big") + part for part in (b"https://issuer.test", b"a", b"j"))
    assert mark.key == hashlib.sha256(told).hexdigest()
