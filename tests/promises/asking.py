"""Requests at random: mostly good ones, with one thing or another that is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cambist.compact import encode
from cambist.testing import ISSUER, Forge
from cambist.token_type import JWT

from .stage import AGENTS, API, BADGE, CLOCK, FOREIGN, FORGE, FRESH, OTHER, assertion, by

BOOKS = "books"
RESOURCES = {BOOKS: {"scopes": ["read", "rea"], "ttl": 120, "owner": "clerk"}}
STRANGER = Forge(FOREIGN, ISSUER, CLOCK)
NEIGHBOUR = Forge("https://issuer.example.test.evil", ISSUER, CLOCK)

GOOD: tuple[Mapping[str, Any], ...] = (
    {},
    {"sub": "bob"},
    {"exp": int(CLOCK()) + 41},
    {"scope": "read pay:read"},
    {"may_act": {"sub": "planner"}},
    {"aud": [ISSUER, API]},
    {"act": {"sub": "earlier"}},
)
BAD: tuple[Mapping[str, Any], ...] = (
    {"exp": int(CLOCK()) - 1, "iat": int(CLOCK()) - 60},
    {"aud": OTHER},
    {"sub": ""},
    {"nbf": int(CLOCK()) + 3600},
    {"cnf": {"jkt": "somebody's"}},
    {"may_act": {"sub": "planner"}, "act": {"sub": "earlier"}},
)
WRONG = (STRANGER.jwt, NEIGHBOUR.jwt, lambda: "junk", lambda: FORGE.jwt()[:-6], lambda: f"{encode(b'{}')}.{encode(b'{}')}.AAAA")


@dataclass(frozen=True)
class Recipe:
    """A request that can be made again and again: each time of fresh parts, always to the same end."""

    subject: str
    changes: Mapping[str, Any]
    actor: str | None
    client: str | None
    asked: Mapping[str, Any]

    def members(self) -> dict[str, Any]:
        return {**self._subject(), **self._actor(), **self._client(), **self.asked}

    def _subject(self) -> dict[str, Any]:
        if self.subject == "badge":
            return {"subject_token": f"badge:ann:{next(FRESH)}", "subject_token_type": BADGE}
        return {"subject_token": FORGE.jwt(**self.changes) if self.subject == "good" else WRONG[int(self.subject)]()}

    def _actor(self) -> dict[str, Any]:
        return {} if self.actor is None else {"actor_token": FORGE.jwt(sub=self.actor), "actor_token_type": JWT}

    def _client(self) -> dict[str, Any]:
        if self.client in (None, *AGENTS):
            return by(self.client) if self.client else {}
        return {**by("clerk"), "client_assertion": assertion("clerk", aud=OTHER)}


sound = st.sampled_from(GOOD)
subjects = st.one_of(
    st.tuples(st.just("good"), sound),
    st.tuples(st.just("good"), sound),
    st.tuples(st.just("good"), st.sampled_from(BAD)),
    st.tuples(st.just("badge"), st.just(GOOD[0])),
    st.tuples(st.sampled_from([str(number) for number in range(len(WRONG))]), st.just(GOOD[0])),
)
parameters = st.fixed_dictionaries(
    {
        "audience": st.sampled_from(
            (API, API, API, BOOKS, BOOKS, [API, OTHER], [API, BOOKS], "no-such-thing", "https://a.example.test/#here")
        )
    },
    optional={
        "scope": st.sampled_from(("read", "read write", "rea admin", "pay:read", "read  write", "")),
        "ttl_seconds": st.sampled_from((1, 30, 600, 3600, 3601, -1)),
        "requested_token_type": st.sampled_from((JWT, JWT, JWT, JWT, "urn:example:nothing")),
        "session_id": st.sampled_from(("", "", "", "", "", "s-1")),
        "zone_id": st.sampled_from(("default", "default", "default", "default", "nowhere")),
    },
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    subject, changes = draw(subjects)
    return Recipe(
        subject=subject,
        changes=changes,
        actor=draw(st.sampled_from((None, None, "planner", "clerk"))),
        client=draw(st.sampled_from((None, "planner", "clerk", "planner", "clerk", "wrong"))),
        asked={**draw(parameters), **draw(st.sampled_from(({}, {}, {}, {}, {"client_id": "clerk"})))},
    )
