"""What an engine answers, as one JSON document that every engine and every rule is held to, and what it means."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from .errors import Unavailable
from .policy import Answer, Deny, Permit
from .strictjson import NotStrict, loads
from .value import Value

_Seconds = Annotated[int, Meta(gt=0)]


class PolicyUnclear(Unavailable):
    """The policy's answer is not one that can be understood, so nothing was issued."""

    reason = "policy_answer_unclear"
    likely = "The entry point of the rules is another than the settings name, or a rule answers something of its own."
    hint = "The rules must answer {allow, reasons, scope, ttl, claims, multi_audience, targets}; the ledger has what they answered."


class _Reason(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: str
    public: bool = False


class _TargetAnswer(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    allow: bool
    reasons: tuple[str | _Reason, ...] = ()


class _Obligations(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What other engines call a bound. One that is not understood refuses, as XACML 3.0 section 7.2.2 demands."""

    max_ttl: _Seconds | None = None


class AnswerDocument(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member that is not understood may be a bound: it is an error, not a surplus."""

    allow: bool
    reasons: tuple[str | _Reason, ...] = ()
    scope: tuple[str, ...] | None = None
    ttl: _Seconds | None = None
    obligations: _Obligations = _Obligations()
    claims: dict[str, Any] = field(default_factory=dict)
    multi_audience: bool = False
    targets: dict[str, _TargetAnswer] = field(default_factory=dict)


def read(text: bytes) -> Any:
    """What an engine wrote, as JSON that everybody reads alike; raises PolicyUnclear."""
    try:
        return loads(text)
    except NotStrict as error:
        raise unclear(f"not strict JSON: {error}") from error


def understood(document: object) -> AnswerDocument:
    """What rules answered, if it has the shape of an answer; raises PolicyUnclear."""
    try:
        return msgspec.convert(document, AnswerDocument)
    except msgspec.ValidationError as error:
        raise unclear(str(error)) from error


def answer(document: object, revision: str | None = None) -> Answer:
    """What rules answered, as a value. Only the JSON `true` allows; raises PolicyUnclear for any other shape."""
    return meant(understood(document), revision)


def meant(parsed: AnswerDocument, revision: str | None = None) -> Answer:
    """What such an answer means. The value is one that nobody else holds, however often the document is looked at."""
    refused = tuple([name for name, target in parsed.targets.items() if not target.allow])
    if parsed.allow and not refused:
        return _permit(parsed, revision)
    reasons = [*parsed.reasons, *(r for name in refused for r in parsed.targets[name].reasons)]
    texts = [(r, False) if isinstance(r, str) else (r.reason, r.public) for r in reasons]
    said = tuple(text for text, public in texts if public)
    return Deny(reasons=tuple(text for text, _ in texts), said=said, targets=refused, revision=revision)


def _permit(parsed: AnswerDocument, revision: str | None) -> Permit:
    bounds = [ttl for ttl in (parsed.ttl, parsed.obligations.max_ttl) if ttl is not None]
    return Permit(
        scope=None if parsed.scope is None else frozenset(parsed.scope),
        ttl=min(bounds, default=None),
        claims=dict(parsed.claims),
        multi_audience=parsed.multi_audience,
        revision=revision,
    )


def unclear(cause: object) -> PolicyUnclear:
    return PolicyUnclear(what="the policy's answer", cause=cause)
