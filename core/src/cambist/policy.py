"""The policy seam: one question, one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import field

from . import question as q
from .caller import Caller
from .errors import PluginFault
from .fence import fenced
from .identifier import identifier
from .identity import Identity, Proven
from .request import ExchangeRequest
from .target import Target
from .value import Noted, Value, replace
from .zone import Zone


class PolicyInput(Value, frozen=True, kw_only=True):
    """Everything that was asked and proved, put before the policy. A backend sends `encoded`, which is `document` as JSON."""

    zone: Zone
    now: float
    request: ExchangeRequest
    client: Caller
    subject: Proven
    actor: Proven | None
    chain: tuple[Identity, ...]
    targets: tuple[Target, ...]

    def document(self) -> q.Question:
        earlier = self.chain if self.actor is None else self.chain[1:]
        return q.Question(
            version=q.VERSION,
            zone=self.zone.id,
            now=int(self.now),
            subject=self._party(self.subject),
            actor=None if self.actor is None else self._party(self.actor),
            chain=[q.Party(id=identifier(self.zone, who), issuer=who.issuer, subject=who.subject) for who in earlier],
            client=q.Client(id=self.client.id, method=self.client.method, application=self.client.application is not None),
            request=self._request(),
        )

    def encoded(self) -> bytes:
        """Raises Unavailable where what was proved cannot be said in JSON."""
        return q.encoded(self.document())

    def _party(self, proven: Proven) -> q.Party:
        return q.Party(
            id=identifier(self.zone, proven.identity),
            issuer=proven.identity.issuer,
            subject=proven.identity.subject,
            token_type=proven.token_type,
            expires_at=q.seconds(proven.expires_at),
            audience=None if proven.audience is None else sorted(proven.audience),
            scope=None if proven.scope is None else sorted(proven.scope),
            attributes=proven.identity.attributes,
        )

    def _request(self) -> q.RequestDocument:
        asked, execution = self.request, self.request.execution
        return q.RequestDocument(
            grant_type=asked.grant_type,
            targets=[_asked(target) for target in self.targets],
            scope=list(asked.scope),
            requested_token_type=asked.requested_token_type,
            ttl=asked.ttl,
            execution_scope=q.Execution(**execution.document()) if execution else None,
        )


def _asked(target: Target) -> q.Asked:
    scopes = target.resource.scopes if target.resource else None
    return q.Asked(id=target.id, declared=target.resource is not None, scopes=None if scopes is None else list(scopes))


class Permit(Noted, frozen=True, kw_only=True):
    """Yes, within these bounds; an absent bound is none beside what was asked and proved. `ttl` is in seconds.

    `revision` names the rules that answered, where the backend knows it of each answer; it is no part of what was answered.
    """

    NOTES = frozenset({"revision"})

    scope: frozenset[str] | None = None
    ttl: int | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    multi_audience: bool = False
    revision: str | None = None


class Deny(Noted, frozen=True, kw_only=True):
    """No. `said` are the reasons that the rule marked public; `targets` are those that are refused by name. `revision`: as of Permit."""

    NOTES = frozenset({"revision"})

    reasons: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    revision: str | None = None


Answer = Permit | Deny
"""What a policy decides. Whatever else it says is a fault, never a permission."""


@runtime_checkable
class Policy(Protocol):
    """Decides. `revision` names the rules that are at work. `decide` raises Unavailable when it cannot decide, and nothing else."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str: ...
    async def decide(self, question: PolicyInput) -> Answer: ...


async def ask(policy: Policy, question: PolicyInput) -> Answer:
    """One decision; whatever is not an answer is a refusal. Raises Unavailable, PluginFault."""
    bounds = _bounds(question)
    with fenced(policy.name):
        answer = _sound(policy.name, await policy.decide(question))
        if _bounds(question) != bounds:
            raise PluginFault(policy.name, "it changed what it was asked")
    return answer


def _bounds(question: PolicyInput) -> tuple[object, ...]:
    """Who, for whom and how much: what narrows the answer must be what it was before the policy saw it."""
    asked, proven, subject = question.request, question.subject, question.subject.identity
    chain = [(who.issuer, who.subject) for who in question.chain]
    targets = [target.id for target in question.targets]
    return (asked.scope, asked.ttl, proven.scope, proven.expires_at, question.client.id, subject.issuer, subject.subject, chain, targets)


def _sound(policy: str, answer: Answer) -> Answer:
    """What a policy returns is input like any other: a text in place of a set of scopes would allow every part of itself."""
    if type(answer) in (Permit, Deny) and not (answer.revision is None or type(answer.revision) is str):
        raise PluginFault(policy, "an answer whose revision is no text")
    if type(answer) is Deny:
        if not (_is_texts(answer.reasons, tuple) and _is_texts(answer.said, tuple) and _is_texts(answer.targets, tuple)):
            raise PluginFault(policy, "a denial whose reasons, or targets, are no tuple of texts")
        return answer
    if type(answer) is not Permit:
        raise PluginFault(policy, "it answered neither Permit nor Deny")
    if not (answer.scope is None or _is_texts(answer.scope, frozenset)):
        raise PluginFault(policy, "a permit whose scope is no frozenset of texts")
    if not (answer.ttl is None or (type(answer.ttl) is int and answer.ttl > 0)) or type(answer.multi_audience) is not bool:
        raise PluginFault(policy, "a permit whose ttl is no positive whole number, or whose multi_audience is neither True nor False")
    # As JSON, and as a copy: what cannot be signed shows before anything is spent, and nobody else holds what will be.
    return replace(answer, claims=_json_object(policy, answer.claims)) if answer.claims != {} else answer


def _is_texts(value: object, kind: type) -> bool:
    return type(value) is kind and set(map(type, value)) <= {str}  # type: ignore[call-overload]  # kind is a collection


def _json_object(policy: str, claims: object) -> Mapping[str, Any]:
    if not isinstance(claims, Mapping) or not all(type(name) is str for name in claims):
        raise PluginFault(policy, "claims that are no object")
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(claims)))
    return copied
