"""What properties are drawn from: questions, answers, parties and chains, out of small stocks, so that they often collide."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from cambist import Answer, Deny, Identity, Permit, PolicyInput, Proven
from cambist.caller import Caller
from cambist.profiles import PROTECTED, WORKLOAD_CLAIMS
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.target import Target
from cambist.testing import ISSUER, question
from cambist.testing.clock import NOON
from cambist.zone import TOKEN_EXCHANGE, Resource, Zone

pure = settings(max_examples=100, deadline=None)
"""For what touches nothing."""

SCOPES = ("read", "write", "admin", "rea", "pay:read", "PAY:read")
TARGETS = ("https://a.example.test", "https://b.example.test", "urn:example:c")
NAMES = ("ann", "bob", "cy", "wimse://sts.example.test/application/app", "a/b", "app")
ISSUERS = ("https://issuer.example.test", "https://other.example.test", ISSUER)

LARGE = tuple(frozenset(SCOPES) - {left_out} for left_out in (*SCOPES, ""))
SMALL = tuple(frozenset(SCOPES[:n]) for n in (0, 1, 2))
scopes = st.sampled_from((*LARGE, *LARGE, *SMALL))
"""Sets of scopes, most of them large: what is left of several of them is then seldom nothing."""
perhaps_scopes = st.sampled_from((None, None, None, *LARGE, *SMALL))
SECONDS = (1, 2, 29, 30, 31, 60, 299, 300, 301, 3599, 3600, 3601, 5000)
seconds = st.sampled_from(SECONDS)
perhaps_seconds = st.sampled_from((None, None, None, *SECONDS))
ENDS = (1, 1.5, 2, 29.999, 30, 60.25, 299, 300, 300.75, 3599.9, 3600, 3600.5, 5000, math.inf)
ends = st.sampled_from([NOON + ahead for ahead in ENDS])
"""Moments ahead, many between two seconds."""

identities = st.sampled_from([Identity(issuer=issuer, subject=name) for issuer in ISSUERS for name in NAMES])
perhaps = st.sampled_from((True, False))

claims = st.dictionaries(
    st.sampled_from(sorted({*PROTECTED, *WORKLOAD_CLAIMS, "team", "Sub", "sub ", "constructor"})),
    st.sampled_from((None, True, 0, "x", "wimse://evil", ["x"], {"sub": "evil"})),
    max_size=6,
)
permits = st.builds(Permit, scope=perhaps_scopes, ttl=perhaps_seconds, claims=claims, multi_audience=st.just(True))
stricter_permits = st.builds(Permit, scope=scopes, ttl=perhaps_seconds, multi_audience=perhaps)
denials = st.builds(Deny, reasons=st.just(("no",)), targets=st.sampled_from(((), TARGETS[:1])))
answers: st.SearchStrategy[Answer] = permits | stricter_permits | denials


@st.composite
def proofs(draw: st.DrawFn, /, ending: st.SearchStrategy[float] = ends, **more: Any) -> Proven:
    """A verified credential, with bounds of every kind."""
    once = draw(perhaps_seconds)
    known: dict[str, Any] = {
        "identity": draw(identities),
        "expires_at": draw(ending),
        "scope": draw(perhaps_scopes),
        "token_id": draw(st.sampled_from(("1", "2"))),
        "single_use_until": None if once is None else NOON + once,
        "transaction": draw(st.sampled_from((None, "txn-1"))),
    }
    return Proven(**known | more)


resources = st.sampled_from(
    (None, None, Resource(), *(Resource(scopes=tuple(scope), ttl=ttl) for scope, ttl in zip(LARGE, (*SECONDS[3:], None), strict=False)))
)
EXECUTION = ExecutionScope(htm="GET", htu="https://a.example.test/x", nonce="n")


@st.composite
def requests(draw: st.DrawFn) -> ExchangeRequest:
    order = draw(st.sampled_from((SCOPES, SCOPES[::-1], SCOPES[2:] + SCOPES[:2])))
    return ExchangeRequest(
        dialect=draw(st.sampled_from(Dialect)),
        grant_type=TOKEN_EXCHANGE,
        scope=order[: draw(st.sampled_from((0, 2, 4, 6)))],
        ttl=draw(perhaps_seconds),
        execution=EXECUTION if draw(perhaps) else None,
    )


@st.composite
def zones(draw: st.DrawFn) -> Zone:
    ttl = draw(seconds)
    return Zone(issuer=ISSUER, ttl=ttl, max_ttl=max(ttl, draw(st.sampled_from((300, 5000, 5000, 5000)))), execution_ttl=draw(seconds))


@st.composite
def questions(draw: st.DrawFn, /, ending: st.SearchStrategy[float] = ends) -> PolicyInput:
    """Everything that can be asked and proved, as it would be put before a policy. Few of them are hopeless."""
    zone, request = draw(zones()), draw(requests())
    subject = draw(proofs(ending))
    actor = draw(proofs(ending)) if draw(perhaps) else None
    chain = draw(st.sampled_from(((), (Identity(issuer=ISSUERS[0], subject="earlier"),))))
    return question(
        zone=zone,
        now=NOON + draw(st.sampled_from((0, 0.25, 0.999))),
        request=request,
        client=Caller(id="app", proven=draw(proofs(ending)) if draw(perhaps) else subject, method="subject"),
        subject=subject,
        actor=actor,
        chain=chain if actor is None else (actor.identity, *chain),
        targets=tuple(Target(id=name, resource=draw(resources)) for name in TARGETS[: draw(st.sampled_from((1, 1, 2, 3)))]),
    )
