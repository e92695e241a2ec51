"""What is accepted once: every single-use proof and nonce leaves a mark, and all marks are spent at once or none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cambist import Credential, Mark, Permit, Proven, Role
from cambist.caller import Caller
from cambist.entitlement import Entitlement
from cambist.errors import Replayed, Unavailable
from cambist.identity import Identity
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.spend import spend
from cambist.store import MemoryStore
from cambist.target import Target
from cambist.testing import MovableClock, question
from cambist.token_type import JWT
from cambist.value import replace
from cambist.zone import TOKEN_EXCHANGE

NOW = 1_800_000_000.25
ACTION = ExecutionScope(htm="GET", htu="https://api.test/", nonce="n")
EXCHANGE = ExchangeRequest(dialect=Dialect.V1, grant_type=TOKEN_EXCHANGE)
EXECUTION = replace(EXCHANGE, execution=ACTION)
ONCE: dict[str, Any] = {"token_id": "j", "single_use_until": NOW + 100}


def proven(subject: str = "a", **more: Any) -> Proven:
    return Proven(**{"identity": Identity(issuer="https://issuer.test", subject=subject), "expires_at": NOW + 1000, **more})


def marks(**changes: Any) -> list[Mark]:
    asked = question(**{"now": NOW, "subject": proven(), **changes})
    return list(Entitlement.narrowest(asked, Permit(multi_audience=True)).marks)


def test_every_single_use_proof_leaves_a_mark_until_it_ends() -> None:
    client = Caller(id="ci", proven=proven("ci", **ONCE), method="m")
    found = marks(subject=proven(**ONCE), actor=proven("b", token_id="j", single_use_until=NOW + 50), client=client)
    assert [(mark.kind, mark.expires_at, mark.role) for mark in found] == [
        ("credential", NOW + 100, "subject"),
        ("credential", NOW + 50, "actor"),
        ("credential", NOW + 100, "client"),
    ]
    assert len({mark.key for mark in found}) == 3
    assert marks(subject=proven(token_id="j")) == []


def test_one_credential_in_two_roles_is_spent_once_as_what_it_was_sent() -> None:
    """A replayed subject token is told as that, a replayed assertion as the client's, also where it makes the subject."""
    one = proven(**ONCE)
    for sent, role in ((Credential(token="t", token_type=JWT, role=Role.SUBJECT), "subject"), (None, "client")):
        (mark,) = marks(subject=one, client=Caller(id="a", proven=one, method="m"), request=replace(EXCHANGE, subject=sent))
        assert mark.role == role


def test_a_nonce_is_spent_for_its_subject_and_targets_while_the_token_lives() -> None:
    """SF-12."""

    def mark(nonce: str = "n", htm: str = "GET", **changes: Any) -> Mark:
        (only,) = marks(request=replace(EXECUTION, execution=replace(ACTION, nonce=nonce, htm=htm)), **changes)
        return only

    assert (mark().kind, mark().expires_at, mark().role) == ("nonce", int(NOW) + 30, None)
    two = (Target(id="x"), Target(id="y"))
    others = [mark(), mark("m"), mark(subject=proven("b")), mark(targets=two[:1]), mark(targets=two)]
    assert len({other.key for other in others}) == 5
    assert mark(htm="HEAD").key == mark().key


@given(st.lists(st.text(), min_size=2, max_size=4), st.lists(st.text(), min_size=2, max_size=4))
@example(["a", "bc"], ["ab", "c"])
def test_neighbouring_parts_of_a_mark_do_not_run_together(one: list[str], other: list[str]) -> None:
    def key(issuer: str, *subject: str) -> str:
        return marks(subject=proven(identity=Identity(issuer=issuer, subject="".join(subject)), **ONCE))[0].key

    same = (one[0], "".join(one[1:])) == (other[0], "".join(other[1:]))
    assert (key(*one) == key(*other)) == same


# ── spend ───────────────────────────────────────────────────────────────────────────────────────────────

A = Mark(kind="credential", key="a", expires_at=2e9, role="client")
B = Mark(kind="nonce", key="b", expires_at=2e9)


async def test_all_marks_are_spent_at_once_or_none() -> None:
    store = MemoryStore(MovableClock())
    await spend(store, [B])
    with pytest.raises(Replayed, match="the nonce was used before") as refused:
        await spend(store, [A, B])
    assert (refused.value.role, refused.value.facts) == (None, {"kind": "nonce"})
    await spend(store, [A])  # the nonce was replayed, so the assertion beside it was not burnt
    with pytest.raises(Replayed, match="the credential was used before") as refused:
        await spend(store, [A])
    assert refused.value.role == "client"


async def test_where_nothing_is_single_use_the_store_is_not_asked() -> None:
    class Dead(MemoryStore):
        async def claim(self, marks: object) -> Mark | None:
            raise Unavailable(what="the store")

    dead = Dead(MovableClock())
    await spend(dead, [])
    with pytest.raises(Unavailable):
        await spend(dead, [A])
