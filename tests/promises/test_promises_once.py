"""What is accepted once is accepted once, however many ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cambist import Host, Mark, Store, hookimpl
from cambist.client_assertion import JWT_BEARER
from cambist.store import MemoryStore
from cambist.testing import AllowAll

from .stage import API, BADGE, CLOCK, FRESH, Asked, Badges, assertion, outcome, staged, whole


class Hesitant(MemoryStore):
    """A store to which requests come in any order; it is its own plugin."""

    def __init__(self, turns: Sequence[int]) -> None:
        super().__init__(CLOCK)
        self.turns = list(turns)

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        for _ in range(self.turns.pop() if self.turns else 0):
            await asyncio.sleep(0)
        return await super().claim(marks)

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        yield self


@dataclass(frozen=True)
class Wanted:
    """One request, by the numbers of what is accepted once in it."""

    badge: int
    assertion: int | None
    nonce: int | None

    @property
    def marks(self) -> set[tuple[str, int]]:
        numbered = {"badge": self.badge, "assertion": self.assertion, "nonce": self.nonce}
        return {(kind, number) for kind, number in numbered.items() if number is not None}

    def members(self, made: dict[int, str], run: int) -> dict[str, Any]:
        found: dict[str, Any] = {"subject_token": f"badge:ann:{run}-{self.badge}", "subject_token_type": BADGE, "audience": API}
        if self.assertion is not None:
            found |= {"client_assertion": made.setdefault(self.assertion, assertion("clerk")), "client_assertion_type": JWT_BEARER}
        if self.nonce is not None:
            found["execution_scope"] = {"htm": "GET", "htu": f"{API}/orders", "nonce": f"{run}-{self.nonce}"}
        return found


few = st.sampled_from((0, 1, 2))
perhaps = st.sampled_from((None, None, 0, 1, 2))
wanted = st.lists(st.builds(Wanted, badge=few, assertion=perhaps, nonce=perhaps), min_size=2, max_size=10)


@settings(whole, max_examples=20)
@given(wanted, st.lists(st.integers(0, 4), max_size=10))
async def test_a_single_use_credential_is_accepted_once(asked: list[Wanted], turns: list[int]) -> None:
    """I7, and all or none: who is refused lost nothing by it, neither its badge, nor its assertion, nor its nonce."""
    run, made = next(FRESH), dict[int, str]()
    modules = {"badges": Badges(), "scripted": AllowAll(), "hesitant": Hesitant(turns)}

    async with staged(modules=modules, authenticates=[BADGE]) as running:

        async def outcomes(several: Sequence[Wanted]) -> list[str]:
            requests = [Asked(running, "form" if one.nonce is None else "json", one.members(made, run)) for one in several]
            return [outcome(answer) for answer in await asyncio.gather(*(request.answer() for request in requests))]

        found = await outcomes(asked)
        assert set(found) <= {"permitted", "replayed"}
        accepted = [one for one, how in zip(asked, found, strict=True) if how == "permitted"]
        spent: set[tuple[str, int]] = set().union(*(one.marks for one in accepted))
        assert sum(len(one.marks) for one in accepted) == len(spent), "something was accepted twice"
        assert all(one.marks & spent for one in asked), "somebody was refused though all it had was fresh"
        unspent = {one.badge for one in asked if ("badge", one.badge) not in spent}
        assert await outcomes([Wanted(badge, None, None) for badge in unspent]) == ["permitted"] * len(unspent)
        assert await outcomes(asked) == ["replayed"] * len(asked)
        assert len(running.records) == 2 * len(asked) + len(unspent)
