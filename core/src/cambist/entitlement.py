"""Never more than asked, permitted and proven. Pure: the security of the whole exchange is in these few functions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from .errors import Denied, Expired, LifetimeAboveCap, ScopeDenied, TargetDenied
from .identity import Identity, Proven
from .policy import Answer, Deny, Permit, PolicyInput
from .request import Dialect, ExecutionScope
from .store import Mark
from .value import Value


class Entitlement(Value, frozen=True, kw_only=True):
    """What will be signed, before it has the form of a token. Times are whole seconds since 1970; `marks` must be spent first."""

    dialect: Dialect
    issued_token_type: str | None
    subject: Identity
    chain: tuple[Identity, ...]
    client_id: str
    audience: tuple[str, ...]
    scope: tuple[str, ...]
    issued_at: int
    expires_at: int
    claims: Mapping[str, Any]
    execution: ExecutionScope | None
    transaction: str | None
    marks: tuple[Mark, ...]

    @property
    def lifetime(self) -> int:
        return self.expires_at - self.issued_at

    @classmethod
    def narrowest(cls, question: PolicyInput, answer: Answer) -> Entitlement:
        """The intersection. Raises Denied in one of its kinds, LifetimeAboveCap, or Expired when no whole second is left."""
        permit = _permitted(question, answer)
        request = question.request
        if len(question.targets) > 1 and not permit.multi_audience:
            raise TargetDenied("a token has one audience unless the policy says otherwise", seen=[t.id for t in question.targets])
        expires = _expiry(question, permit)
        return cls(
            dialect=request.dialect,
            issued_token_type=request.issued_token_type,
            subject=question.subject.identity,
            chain=question.chain,
            client_id=question.client.id,
            audience=tuple([target.id for target in question.targets]),
            scope=_scope(question, permit),
            issued_at=int(question.now),
            expires_at=expires,
            claims=permit.claims,
            execution=request.execution,
            transaction=question.subject.transaction,
            marks=_marks(question, expires),
        )


def _permitted(question: PolicyInput, answer: Answer) -> Permit:
    if isinstance(answer, Deny):
        said = f"policy denied: {', '.join(answer.said)}" if answer.said else ""
        if answer.targets:
            raise TargetDenied(said, seen=list(answer.targets), reasons=list(answer.reasons))
        raise Denied(said, seen=_told(question), reasons=list(answer.reasons))
    return answer


def _told(question: PolicyInput) -> dict[str, Any]:
    """What the policy was asked, as far as a permit would have shown it: rules are often written for a name that is spelled otherwise."""
    subject, actor = question.subject.identity, question.actor
    acting = {} if actor is None else {"actor": actor.identity.subject}
    asked = {"targets": [target.id for target in question.targets], "scope": list(question.request.scope)}
    return {"issuer": subject.issuer, "subject": subject.subject, **acting, **asked}


def _bounding(question: PolicyInput) -> tuple[Proven, ...]:
    """The proofs that nothing may outlive."""
    return (question.subject,) if question.actor is None else (question.subject, question.actor)


def _scope(question: PolicyInput, permit: Permit) -> tuple[str, ...]:
    """What was asked and is allowed by policy, by the resources and by the subject's proof, in the order it was asked.

    An actor lends nothing of its own: it acts with the subject's authority, so its token's scope has no part in this.
    """
    asked = question.request.scope
    bounds = [bound for bound in (permit.scope, question.subject.scope, *_declared(question)) if bound is not None]
    if not bounds:
        return asked
    allowed = frozenset.intersection(*bounds)
    left = tuple([scope for scope in asked if scope in allowed])
    if asked and not left:
        raise ScopeDenied(expected=sorted(allowed), seen=list(asked))
    return left


def _declared(question: PolicyInput) -> list[frozenset[str]]:
    return [frozenset(t.resource.scopes) for t in question.targets if t.resource and t.resource.scopes is not None]


def _expiry(question: PolicyInput, permit: Permit) -> int:
    """The soonest of: what was asked, what the policy, zone and resources allow, and the end of every proof."""
    zone, request, now = question.zone, question.request, int(question.now)
    if request.ttl is not None and request.ttl > zone.max_ttl:
        raise LifetimeAboveCap(f"the cap is {zone.max_ttl} seconds", expected=zone.max_ttl, seen=request.ttl)
    declared = [target.resource.ttl for target in question.targets if target.resource and target.resource.ttl]
    usual = min(declared) if len(declared) == len(question.targets) else min([zone.ttl, *declared])
    lifetime = min(usual if request.ttl is None else request.ttl, zone.max_ttl, *declared)
    if permit.ttl is not None:
        lifetime = min(lifetime, permit.ttl)
    if request.execution is not None:
        lifetime = min(lifetime, zone.execution_ttl)
    expires = now + lifetime
    for proven in _bounding(question):
        if proven.expires_at < expires:
            expires = math.floor(proven.expires_at)
    if expires <= now:
        raise Expired("less than a second is left of the credential")
    return expires


def _marks(question: PolicyInput, expires: int) -> tuple[Mark, ...]:
    """Everything in this request that is accepted once."""
    marks: dict[str, Mark] = {}
    for role, proven in (("subject", question.subject), ("actor", question.actor), ("client", question.client.proven)):
        if proven is not None and proven.single_use_until is not None:
            key = _digest(proven.identity.issuer, proven.identity.subject, proven.token_id or "")
            # One credential in two roles: it is what it was sent as, the subject's token or the application's own proof.
            if key not in marks or question.request.subject is None:
                marks[key] = Mark(kind="credential", key=key, expires_at=proven.single_use_until, role=role)
    if (execution := question.request.execution) is not None:
        subject = question.subject.identity
        # SF-12: once for a subject and its targets, for as long as the token lives.
        key = _digest(subject.issuer, subject.subject, *(t.id for t in question.targets), execution.nonce)
        marks[key] = Mark(kind="nonce", key=key, expires_at=expires)
    return tuple(marks.values())


def _digest(*parts: str) -> str:
    """A key of one size, whatever was sent; lengths keep neighbours apart."""
    told = b"".join(len(raw := part.encode(errors="surrogatepass")).to_bytes(4, "big") + raw for part in parts)
    return hashlib.sha256(told).hexdigest()
