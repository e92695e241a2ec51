"""A decision becomes a line: enough to tell the whole story from it, and no credential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from cambist import Deny, Permit, PolicyInput, Proven, Record, Refusal
from cambist.audit import PERMITTED
from cambist.caller import Caller
from cambist.entitlement import Entitlement
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.token import MintedToken

from .line import VERSION, Asked, Execution, Granted, Line, Policy, Refused, moment
from .parties import chain, client, hashed, party
from .shortening import fitted
from .steps import steps
from .withheld import Withheld, legible

T = TypeVar("T")
Came = Mapping[str, Any]
"""The steps by their names, each with what came of it."""

UNREAD = ExchangeRequest(dialect=Dialect.OAUTH, grant_type="", zone_id="")
"""Stands for a request that could not be read: it says nothing, and in no dialect."""
NOTHING_ASKED = Asked()


def written(record: Record, attributes: Sequence[str], left_out: int) -> bytes:
    """The line, without its end. `left_out` is how many decisions before it were only counted."""
    came: Came = {step.name: step.outcome for step in record.trace.steps}
    request = _one(came, "request", ExchangeRequest) or UNREAD
    question = _one(came, "question", PolicyInput)
    withheld = Withheld(request)
    outcome, reason = record.ended
    line = Line(
        v=VERSION,
        decision_id=record.decision_id,
        at=moment(record.at),
        outcome=outcome,
        reason=reason or None,
        zone=withheld.text(request.zone_id) or None,
        dialect=None if request is UNREAD else request.dialect,
        grant_type=withheld.text(request.grant_type) or None,
        client=client(request, _one(came, "client", Caller) if question is None else question.client, withheld),
        subject=party(request.subject, _one(came, "subject", Proven), attributes, withheld),
        actor=party(request.actor, _one(came, "actor", Proven), attributes, withheld),
        chain=chain(_one(came, "delegation", tuple) or ()),
        asked=_asked(request, withheld),
        policy=_policy(came, withheld),
        granted=_granted(came, withheld) if record.outcome == PERMITTED else None,
        refusal=None if record.refusal is None else _refused(record.refusal, withheld),
        steps=steps(record.trace.steps, withheld),
        left_out=left_out or None,
    )
    return fitted(line)


def untold(record: Record, error: Exception, left_out: int) -> bytes:
    """The line of a decision whose story cannot be told: a plugin put something into it that is none of the expected values."""
    outcome, reason = record.ended
    line = Line(
        v=VERSION,
        decision_id=record.decision_id,
        at=moment(record.at),
        outcome=outcome,
        reason=reason or None,
        untold=type(error).__name__,
        left_out=left_out or None,
    )
    return fitted(line)


def _one(came: Came, name: str, kind: type[T]) -> T | None:
    """What came of a step, if it came to that."""
    found = came.get(name)
    return found if isinstance(found, kind) else None


def _asked(request: ExchangeRequest, withheld: Withheld) -> Asked | None:
    asked = Asked(
        targets=withheld.texts(request.targets),
        scope=withheld.texts(request.scope),
        token_type=withheld.text(request.requested_token_type) if request.requested_token_type else None,
        ttl=request.ttl or None,
        execution=None if request.execution is None else _execution(request.execution, withheld),
    )
    return None if asked == NOTHING_ASKED else asked


def _execution(action: ExecutionScope, withheld: Withheld) -> Execution:
    return Execution(
        htm=withheld.text(action.htm) or None,
        htu=withheld.text(action.htu) or None,
        payload_hash=withheld.text(action.payload_hash or "") or None,
        nonce_sha256=hashed(action.nonce),
    )


def _policy(came: Came, withheld: Withheld) -> Policy | None:
    answer = came.get("policy")
    if answer is None:
        return None
    rules = getattr(came.get("zone"), "policy", None)
    name = _said(rules, "name")
    # Of the answer, if it says so: by now the policy may have other rules.
    revision = _said(answer, "revision") if getattr(answer, "revision", None) else _said(rules, "revision")
    if isinstance(answer, Permit):
        scope, claims = withheld.texts(sorted(answer.scope or ())), withheld.texts(sorted(answer.claims))
        return Policy(name=name, revision=revision, answer="permit", scope=scope, ttl=answer.ttl or None, claims=claims)
    if isinstance(answer, Deny):
        reasons, targets = withheld.texts(answer.reasons), withheld.texts(answer.targets)
        return Policy(name=name, revision=revision, answer="deny", reasons=reasons, targets=targets)
    return None if name is None and revision is None else Policy(name=name, revision=revision)


def _said(rules: object, name: str) -> str | None:
    """What a policy says of itself; a policy that cannot say it is no reason to have no record."""
    try:
        return legible(str(getattr(rules, name))) or None
    except Exception:
        return None


def _granted(came: Came, withheld: Withheld) -> Granted | None:
    ruling, minted = _one(came, "ruling", Entitlement), _one(came, "mint", MintedToken)
    if ruling is None or minted is None:
        return None
    return Granted(
        audience=withheld.texts(ruling.audience),
        scope=withheld.texts(ruling.scope),
        lifetime=ruling.lifetime or None,
        expires_at=ruling.expires_at,
        jti=minted.token_id,
        kid=getattr(came.get("key"), "kid", None),
        token_type=minted.issued_token_type,
    )


def _refused(refusal: Refusal, withheld: Withheld) -> Refused:
    return Refused(
        reason=refusal.reason,
        role=refusal.role,
        said=withheld.text(refusal.said),
        expected=_some(withheld.plain(refusal.expected)),
        seen=_some(withheld.plain(refusal.seen)),
        facts=_some(withheld.plain(refusal.facts)),
    )


def _some(value: object) -> object:
    return None if value == {} else value
