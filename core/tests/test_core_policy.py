"""One question, one answer: what a policy is asked, and that nothing but a clear yes is one."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import force_setattr

from cambist import Answer, Deny, Permit, PolicyInput
from cambist.answer import PolicyUnclear, answer, read
from cambist.caller import Caller
from cambist.errors import PluginFault, Unavailable
from cambist.identity import Identity, Proven
from cambist.policy import ask
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.target import Target
from cambist.testing import question
from cambist.zone import TOKEN_EXCHANGE, Application, Resource, Zone

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_permit_with_all_its_bounds() -> None:
    document = {"allow": True, "reasons": ["r"], "scope": ["a", "b"], "ttl": 60, "claims": {"team": 1}, "multi_audience": True}
    assert answer(document) == Permit(scope=frozenset("ab"), ttl=60, claims={"team": 1}, multi_audience=True)
    assert answer({"allow": True}) == Permit()
    assert answer({"allow": True, "scope": []}) == Permit(scope=frozenset())
    assert answer({"allow": True, "targets": {"x": {"allow": True}}}) == Permit()


@pytest.mark.parametrize(
    ("bounds", "ttl"),
    [
        ({"obligations": {"max_ttl": 60}}, 60),
        ({"ttl": 30, "obligations": {"max_ttl": 60}}, 30),
        ({"ttl": 90, "obligations": {"max_ttl": 60}}, 60),
        ({"ttl": 90, "obligations": {}}, 90),
        ({"obligations": {"max_ttl": None}}, None),
    ],
)
def test_an_obligation_bounds_the_lifetime_and_the_shorter_bound_counts(bounds: dict[str, Any], ttl: int | None) -> None:
    assert answer({"allow": True, **bounds}) == Permit(ttl=ttl)


@pytest.mark.parametrize("allow", [True, False])
def test_an_answer_bears_the_revision_of_the_rules_that_gave_it_and_is_the_same_answer_without(allow: bool) -> None:
    found = answer({"allow": allow}, "r7")
    assert found.revision == "r7"
    assert found == answer({"allow": allow})


@pytest.mark.parametrize("text", [b"", b"{", b"[NaN]", b'{"a":1,"a":2}', b"\xff", b"\xef\xbb\xbf{}", b"{} {}", b"[" * 100_000])
def test_what_is_not_strict_json_is_unclear(text: bytes) -> None:
    with pytest.raises(PolicyUnclear) as refused:
        read(text)
    assert "not strict JSON" in str(refused.value.facts["cause"])


def test_a_denial_tells_what_is_public_apart() -> None:
    assert answer({"allow": False, "reasons": ["inside", {"reason": "outside", "public": True}]}) == Deny(
        reasons=("inside", "outside"), said=("outside",)
    )
    assert answer({"allow": False}) == Deny()


@pytest.mark.parametrize("allow", [True, False])
def test_one_refused_target_refuses_all(allow: bool) -> None:
    """Decision 14: all or nothing."""
    targets = {"x": {"allow": True}, "y": {"allow": False, "reasons": [{"reason": "why", "public": True}]}}
    assert answer({"allow": allow, "targets": targets}) == Deny(reasons=("why",), said=("why",), targets=("y",))


@pytest.mark.parametrize(
    "document",
    [
        None,
        True,
        "true",
        [],
        {},
        {"allow": 1},
        {"allow": "true"},
        {"allow": None},
        {"allow": [True]},
        {"allow": True, "ttl": 0},
        {"allow": True, "ttl": -5},
        {"allow": True, "ttl": True},
        {"allow": True, "ttl": 1.5},
        {"allow": True, "ttl": "60"},
        {"allow": True, "scope": "a b"},
        {"allow": True, "scope": [1]},
        {"allow": True, "claims": []},
        {"allow": True, "multi_audience": 1},
        {"allow": True, "targets": {"x": True}},
        {"allow": True, "targets": {"x": {}}},
        {"allow": True, "step_up": {}},
        {"allow": True, "obligations": {"max_ttl": 60, "notify": "x"}},
        {"allow": True, "obligations": {"max_ttl": "60"}},
        {"allow": True, "obligations": {"max_ttl": 0}},
        {"allow": True, "obligations": {"max_ttl": True}},
        {"allow": True, "obligations": []},
        {"allow": True, "obligations": None},
        {"allow": False, "obligations": {"notify": "x"}},
        {"allow": True, "deny": True},
        {"allow": False, "reasons": "no"},
        {"allow": False, "reasons": [{"text": "no"}]},
        {"result": {"allow": True}},
    ],
)
def test_any_other_shape_is_unclear_and_issues_nothing(document: object) -> None:
    """A member that is not understood may be a bound."""
    with pytest.raises(PolicyUnclear) as refused:
        answer(document)
    assert refused.value.facts["what"] == "the policy's answer"
    assert refused.value.facts["cause"]


@given(JSON | st.fixed_dictionaries({"allow": JSON}, optional=dict.fromkeys(("scope", "ttl", "claims", "targets", "reasons"), JSON)))
def test_only_the_json_true_permits(document: Any) -> None:
    try:
        found = answer(document)
    except PolicyUnclear:
        return
    assert isinstance(document, dict)
    if isinstance(found, Permit):
        assert document["allow"] is True
        assert found.ttl is None or found.ttl > 0
    else:
        assert document["allow"] is False or found.targets


class Saying:
    """A policy that answers or raises what it was given."""

    name, revision = "saying", "1"

    def __init__(self, says: Any) -> None:
        self.says = says

    async def decide(self, question: PolicyInput) -> Answer:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says  # type: ignore[no-any-return]  # what a plugin returns can be anything


@pytest.mark.parametrize("says", [None, True, {"allow": True}, "yes", Permit, KeyError("x"), RecursionError()])
async def test_a_policy_that_breaks_its_promise_is_a_fault_of_its_plugin(says: object) -> None:
    with pytest.raises(PluginFault) as refused:
        await ask(Saying(says), question())
    assert refused.value.plugin == "saying"


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (Permit, {"scope": "read"}),
        (Permit, {"scope": frozenset({1})}),
        (Permit, {"ttl": 0}),
        (Permit, {"ttl": True}),
        (Permit, {"ttl": 1.5}),
        (Permit, {"multi_audience": 1}),
        (Permit, {"claims": [("a", 1)]}),
        (Permit, {"claims": {1: "a"}}),
        (Permit, {"claims": {"a": object()}}),
        (Permit, {"revision": 7}),
        (Deny, {"revision": b"7"}),
        (Deny, {"reasons": "no"}),
        (Deny, {"said": (1,)}),
        (Deny, {"targets": ["x"]}),
    ],
)
async def test_an_answer_that_is_not_what_it_seems_is_none(kind: Any, members: dict[str, Any]) -> None:
    """A text in place of a set of scopes would allow every part of itself."""
    with pytest.raises(PluginFault):
        await ask(Saying(kind(**members)), question())


async def test_the_claims_that_are_signed_are_a_copy_that_nobody_holds() -> None:
    claims: dict[str, Any] = {"team": ["a"]}
    answered = await ask(Saying(Permit(claims=claims)), question())
    claims["team"].append("b")
    assert isinstance(answered, Permit)
    assert answered.claims == {"team": ["a"]}


async def test_a_policy_does_not_change_what_it_is_asked() -> None:
    class Widening(Saying):
        async def decide(self, question: PolicyInput) -> Answer:
            force_setattr(question.request, "scope", ("admin",))
            return Permit()

    with pytest.raises(PluginFault, match="plugin"):
        await ask(Widening(None), question())


async def test_a_policy_that_cannot_decide_says_so() -> None:
    down = Unavailable(what="opa")
    with pytest.raises(Unavailable) as refused:
        await ask(Saying(down), question())
    assert refused.value is down
    assert await ask(Saying(Permit()), question()) == Permit()
    assert await ask(Saying(Deny()), question()) == Deny()


# ── the question ────────────────────────────────────────────────────────────────────────────────────────


def document(**changes: Any) -> dict[str, Any]:
    found = msgspec.to_builtins(question(**changes).document())
    assert isinstance(found, dict)
    return found


def test_the_least_question_is_complete() -> None:
    found = document()
    assert found["version"] == 1
    assert found["now"] == int(question().now)
    assert (found["zone"], found["actor"], found["chain"]) == ("default", None, [])
    assert found["client"] == {"id": "workload-1", "method": "subject", "application": False}
    assert found["request"]["targets"] == [{"id": "https://api.example.test", "declared": False, "scopes": None}]
    assert found["request"] == {
        "grant_type": TOKEN_EXCHANGE,
        "targets": found["request"]["targets"],
        "scope": ["read"],
        "requested_token_type": None,
        "ttl": None,
        "execution_scope": None,
    }


def test_every_party_is_told_by_name_issuer_and_subject() -> None:
    identity = Identity(issuer="i", subject="b", attributes={"team": "shop"})
    actor = Proven(identity=identity, expires_at=math.inf, token_type="t", audience=frozenset("yx"), scope=frozenset("ba"))
    earlier = Identity(issuer="i", subject="c")
    found = document(actor=actor, chain=(identity, earlier), zone=Zone(issuer="https://sts.test"))
    assert found["actor"] == {
        "id": "wimse://sts.test/issuer/i/subject/b",
        "issuer": "i",
        "subject": "b",
        "token_type": "t",
        "expires_at": None,
        "audience": ["x", "y"],
        "scope": ["a", "b"],
        "attributes": {"team": "shop"},
    }
    assert [(party["id"], party["attributes"]) for party in found["chain"]] == [("wimse://sts.test/issuer/i/subject/c", None)]


@pytest.mark.row("J-actor")
def test_earlier_actors_are_history_and_never_the_actor() -> None:
    """TX-28."""
    chain = (Identity(issuer="i", subject="c"), Identity(issuer="i", subject="d"))
    found = document(chain=chain)
    assert found["actor"] is None
    assert [party["subject"] for party in found["chain"]] == ["c", "d"]


def test_what_is_declared_and_what_was_asked_stand_side_by_side() -> None:
    request = ExchangeRequest(
        dialect=Dialect.V1,
        grant_type=TOKEN_EXCHANGE,
        requested_token_type="t",
        ttl=60,
        execution=ExecutionScope(htm="GET", htu="https://x.test/", nonce="n"),
    )
    targets = (Target(id="x", resource=Resource(scopes=("b", "a"))), Target(id="y", resource=Resource()))
    found = document(request=request, targets=targets)["request"]
    assert found["targets"] == [{"id": "x", "declared": True, "scopes": ["b", "a"]}, {"id": "y", "declared": True, "scopes": None}]
    assert (found["ttl"], found["requested_token_type"]) == (60, "t")
    assert found["execution_scope"] == {"htm": "GET", "htu": "https://x.test/", "nonce": "n", "payload_hash": None}


def test_an_authenticated_application_is_told_as_one() -> None:
    proven = Proven(identity=Identity(issuer="i", subject="ci"), expires_at=math.inf)
    caller = Caller(id="ci", proven=proven, method="urn:secret", application=Application())
    assert document(client=caller)["client"] == {"id": "ci", "method": "urn:secret", "application": True}
