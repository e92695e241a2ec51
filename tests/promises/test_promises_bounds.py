"""Never more than was asked, allowed and proven: not in time, not in scope, not in what the token says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cambist import Answer, Permit, PolicyInput, Refusal
from cambist.entitlement import Entitlement
from cambist.errors import Denied, Expired, LifetimeAboveCap, ScopeDenied
from cambist.profiles import PROTECTED, WORKLOAD_CLAIMS, access_token
from cambist.request import Dialect
from cambist.testing.clock import NOON
from cambist.value import replace

from .drawing import answers, claims, ends, permits, proofs, pure, questions, scopes, seconds, stricter_permits

FRESH = {"jti"}
"""Claims whose value is new each time."""


REFUSED = {"policy_denied", "target_denied", "scope_denied", "credential_expired", "ttl_above_cap"}
"""The reasons for which there may be no entitlement."""


def ruling(question: PolicyInput, answer: Answer) -> Entitlement | None:
    """The entitlement, if there is one. Whatever else comes of it must be a refusal of one of these kinds."""
    try:
        return Entitlement.narrowest(question, answer)
    except (Denied, Expired, LifetimeAboveCap):
        return None


def granted(question: PolicyInput, answer: Answer) -> Entitlement:
    """The entitlement; a question that has none is none for this property."""
    found = ruling(question, answer)
    assume(found is not None)
    assert found is not None
    return found


def told(question: PolicyInput, answer: Answer) -> Mapping[str, Any]:
    return access_token(question.zone, granted(question, answer), "decision-1")


@pure
@given(questions(), permits)
def test_a_token_never_outlives_what_it_was_issued_for(question: PolicyInput, answer: Permit) -> None:
    """I4: exp(out) ≤ min(exp(in), now + cap), for the subject and for the actor, and it is never born dead."""
    found = granted(question, answer)
    caps = [question.request.ttl, answer.ttl, question.zone.max_ttl, *(t.resource.ttl for t in question.targets if t.resource)]
    caps += [question.zone.execution_ttl] if question.request.execution else []
    caps += (
        [t.resource.ttl if t.resource and t.resource.ttl else question.zone.ttl for t in question.targets]
        if question.request.ttl is None
        else []
    )
    proven = [question.subject.expires_at] + ([question.actor.expires_at] if question.actor else [])
    assert found.expires_at <= min([*proven, *(question.now + cap for cap in caps if cap is not None)])
    assert found.issued_at < found.expires_at
    assert found.issued_at <= question.now


@pure
@given(questions(), permits)
def test_a_token_lives_whole_seconds_and_says_so(question: PolicyInput, answer: Permit) -> None:
    said = told(question, answer)
    assert [type(said[name]) for name in ("exp", "iat")] == [int, int]
    assert said["exp"] - said["iat"] == granted(question, answer).lifetime > 0


@pure
@given(questions(), permits)
def test_a_scope_is_only_what_was_asked_allowed_and_proven(question: PolicyInput, answer: Permit) -> None:
    found = granted(question, answer)
    left = set(found.scope)
    assert left <= set(question.request.scope)
    assert answer.scope is None or left <= answer.scope
    assert question.subject.scope is None or left <= question.subject.scope
    for target in question.targets:
        assert target.resource is None or target.resource.scopes is None or left <= set(target.resource.scopes)
    assert bool(left) == bool(question.request.scope), "a token without any of the scopes that were asked for"
    assert found.scope == tuple(scope for scope in question.request.scope if scope in left), "in another order than asked, or twice"


@pure
@given(questions(), scopes)
def test_nothing_that_was_asked_allowed_and_proven_is_withheld(question: PolicyInput, allowed: frozenset[str]) -> None:
    """So that the promise above is not kept by granting nothing."""
    endless, asked = replace(question.subject, expires_at=math.inf), replace(question.request, ttl=None)
    question = replace(question, subject=endless, actor=None, request=asked)
    declared = [set(t.resource.scopes) for t in question.targets if t.resource and t.resource.scopes is not None]
    proven = question.subject.scope
    wanted = tuple(
        scope
        for scope in question.request.scope
        if scope in allowed and (proven is None or scope in proven) and all(scope in bound for bound in declared)
    )
    permit = Permit(scope=allowed, multi_audience=True)
    if question.request.scope and not wanted:
        with pytest.raises(ScopeDenied):
            Entitlement.narrowest(question, permit)
    else:
        assert Entitlement.narrowest(question, permit).scope == wanted


@pure
@given(questions(), permits, proofs())
def test_more_proof_never_means_more_than_was_asked(question: PolicyInput, permit: Permit, more: Any) -> None:
    """An actor, or a client that proves itself too, lends nothing of its own: no scope, no second, no target, no other subject."""
    alone = replace(question, actor=None, chain=question.chain if question.actor is None else question.chain[1:])
    richer = granted(replace(alone, actor=more, chain=(more.identity, *alone.chain)), permit)
    bare = granted(alone, permit)
    assert set(richer.scope) <= set(bare.scope)
    assert richer.expires_at <= bare.expires_at
    assert (richer.subject, richer.audience, richer.client_id) == (bare.subject, bare.audience, bare.client_id)
    by_another = granted(replace(question, client=replace(question.client, proven=more)), permit)
    unchanged = granted(question, permit)
    assert (by_another.scope, by_another.expires_at) == (unchanged.scope, unchanged.expires_at)


@pure
@given(questions(), permits, scopes, seconds)
def test_a_narrower_permit_never_means_more(question: PolicyInput, permit: Permit, fewer: frozenset[str], ttl: int) -> None:
    wide = granted(question, permit)
    less = fewer if permit.scope is None else permit.scope & fewer
    narrow = ruling(question, replace(permit, scope=less, ttl=ttl if permit.ttl is None else min(permit.ttl, ttl)))
    assert narrow is None or (set(narrow.scope) <= set(wide.scope) and narrow.expires_at <= wide.expires_at)


@pure
@given(questions(), permits | stricter_permits)
def test_a_token_is_for_all_that_was_asked_or_for_nobody(question: PolicyInput, answer: Permit) -> None:
    """E12: several targets only where the policy says so, and never a part of them."""
    found = granted(question, answer)
    assert found.audience == tuple(target.id for target in question.targets)
    assert len(found.audience) == 1 or answer.multi_audience


@pure
@given(questions(), st.sampled_from(Dialect), claims)
def test_no_claim_of_the_policy_replaces_a_protected_one(question: PolicyInput, dialect: Dialect, added: Mapping[str, Any]) -> None:
    """E9, decision 24. Also none that is absent: a policy does not bind a token to a key, nor name an actor."""
    question = replace(question, request=replace(question.request, dialect=dialect))
    bare = told(question, Permit(multi_audience=True))
    full = told(question, Permit(multi_audience=True, claims=added))
    assert {name: full.get(name) for name in PROTECTED - FRESH} == {name: bare.get(name) for name in PROTECTED - FRESH}
    assert full["jti"] != added.get("jti")
    workloads = frozenset() if dialect is Dialect.V1 else WORKLOAD_CLAIMS
    assert {name: full.get(name) for name in added.keys() - PROTECTED - workloads} == {
        name: added[name] for name in added.keys() - PROTECTED - workloads
    }
    assert not full.keys() & workloads


@pure
@given(questions(), permits)
def test_everything_that_is_accepted_once_is_marked_before_minting(question: PolicyInput, answer: Permit) -> None:
    """I7: a mark for each single-use proof and for the nonce, kept for at least as long as it could be sent again."""
    found = granted(question, answer)
    credentials = [mark for mark in found.marks if mark.kind == "credential"]
    proofs_once = {
        (proven.identity.issuer, proven.identity.subject, proven.token_id)
        for proven in (question.subject, question.actor, question.client.proven)
        if proven is not None and proven.single_use_until is not None
    }
    assert len({mark.key for mark in credentials}) == len(credentials) == len(proofs_once)
    nonces = [mark for mark in found.marks if mark.kind == "nonce"]
    assert len(nonces) == (question.request.execution is not None)
    assert all(mark.expires_at >= found.expires_at for mark in nonces)


@pure
@given(questions(ends | st.sampled_from((0.0, NOON - 5, NOON, NOON + 0.5))), answers)
def test_whatever_is_asked_ends_in_an_entitlement_or_a_refusal(question: PolicyInput, answer: Answer) -> None:
    found: object
    try:
        found = Entitlement.narrowest(question, answer)
    except Refusal as refusal:
        found = refusal.reason
    assert isinstance(found, Entitlement) or found in REFUSED
