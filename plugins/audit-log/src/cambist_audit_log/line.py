"""A decision as one line: everything that explains it, and nothing that could be used again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from cambist import Deny, Permit, Proven, Record, Refusal
from cambist.caller import Caller
from cambist.credential import Credential
from cambist.entitlement import Entitlement
from cambist.open_zone import OpenZone
from cambist.policy import PolicyInput
from cambist.request import ExchangeRequest
from cambist.token import MintedToken

VERSION = 1
MAX_LINE = 65_536
"""Bytes; a longer record keeps its outcome and loses its details."""
_SHORT = 12
"""Parts of a credential that are shorter say nothing that is worth hiding."""


def line(record: Record, attributes: tuple[str, ...], left_out: int) -> bytes:
    """The record, with its newline. `left_out` is how many records before it were only counted."""
    request = record.trace.outcome("request")
    document = {**_head(record), **({"left_out": left_out} if left_out else {})}
    details = {**_asked(request), **_proved(record, attributes), **_ruled(record), "steps": [_step(step) for step in record.trace.steps]}
    told = _scrubbed(msgspec.json.encode({**document, **details}, enc_hook=str), request)
    if len(told) >= MAX_LINE:
        told = _scrubbed(msgspec.json.encode({**document, "shortened": True}), request)
    return told + b"\n"


def _head(record: Record) -> dict[str, Any]:
    at = datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"v": VERSION, "decision_id": record.decision_id, "at": at, "outcome": record.outcome}
    return head | ({"refusal": _refusal(record.refusal)} if record.refusal else {})


def _refusal(refusal: Refusal) -> dict[str, Any]:
    """What the caller was told, and the facts that it was not."""
    told = {"reason": refusal.reason, "role": refusal.role, "said": refusal.said, "expected": refusal.expected, "seen": refusal.seen}
    return {name: value for name, value in {**told, **refusal.facts}.items() if value is not None}


def _asked(request: object) -> dict[str, Any]:
    if not isinstance(request, ExchangeRequest):
        return {}
    execution = request.execution
    asked = {
        "targets": list(request.targets),
        "scope": list(request.scope),
        "ttl": request.ttl,
        "requested_token_type": request.requested_token_type,
        "execution": {"htm": execution.htm, "htu": execution.htu, "nonce_sha256": _sha256(execution.nonce)} if execution else None,
    }
    return {
        "zone": request.zone_id,
        "dialect": request.dialect.value,
        "grant_type": request.grant_type,
        "asked": {name: value for name, value in asked.items() if value not in (None, [])},
    }


def _proved(record: Record, attributes: tuple[str, ...]) -> dict[str, Any]:
    """Who called, whose credential it was, and who acts: as far as it came to be proved, else only which credential was sent."""
    request, question = record.trace.outcome("request"), record.trace.outcome("question")
    caller = question.client if isinstance(question, PolicyInput) else record.trace.outcome("client")
    told: dict[str, Any] = {}
    if isinstance(caller, Caller):
        told["client"] = {"id": caller.id, "method": caller.method}
    for role in ("subject", "actor"):
        credential = getattr(request, role, None)
        proven = record.trace.outcome(role)
        party = {**_credential(credential), **_party(proven, attributes)}
        told |= {role: party} if party else {}
    if isinstance(question, PolicyInput) and question.chain:
        told["chain"] = [{"issuer": who.issuer, "subject": who.subject} for who in question.chain]
    return told


def _credential(credential: Credential | None) -> dict[str, Any]:
    if credential is None:
        return {}
    wire = {"sent_as": credential.wire_type} if credential.wire_type not in ("", credential.token_type) else {}
    return {"token_type": credential.token_type, **wire, "token_sha256": _sha256(credential.token)}


def _party(proven: object, attributes: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(proven, Proven):
        return {}
    kept = {name: proven.identity.attributes[name] for name in attributes if name in proven.identity.attributes}
    told = {"issuer": proven.identity.issuer, "subject": proven.identity.subject, "token_id": proven.token_id, "attributes": kept}
    return {name: value for name, value in told.items() if value}


def _ruled(record: Record) -> dict[str, Any]:
    """What was granted, and by which rules."""
    told: dict[str, Any] = {}
    ruling, token, zone = (record.trace.outcome(name) for name in ("ruling", "mint", "zone"))
    if isinstance(zone, OpenZone) and record.trace.outcome("policy") is not None:
        told["policy"] = {"name": zone.policy.name, "revision": zone.policy.revision}
    if isinstance(ruling, Entitlement):
        told["granted"] = {"audience": list(ruling.audience), "scope": list(ruling.scope), "expires_in": ruling.lifetime}
    if isinstance(token, MintedToken):
        told["granted"] |= {"token_id": token.token_id}
    return told


def _step(step: Any) -> dict[str, Any]:
    return {"name": step.name, "microseconds": step.microseconds, "outcome": _outcome(step.outcome)}


def _outcome(outcome: object) -> str:
    """What came of a step, in a word or two."""
    if isinstance(outcome, Refusal):
        return outcome.reason
    if isinstance(outcome, BaseException):
        return type(outcome).__name__
    if isinstance(outcome, Permit | Deny):
        return "permit" if isinstance(outcome, Permit) else f"deny: {', '.join((*outcome.reasons, *outcome.targets))}"[:200]
    return "nothing" if outcome is None or outcome == () else "done"


def _scrubbed(told: bytes, request: object) -> bytes:
    """By value, not by name: whatever puts a credential into a fact, it does not reach the disk."""
    for secret in _secrets(request):
        told = told.replace(secret, b"<credential>")
    return told


def _secrets(request: object) -> Iterator[bytes]:
    for role in ("subject", "actor", "client"):
        credential = getattr(request, role, None)
        if isinstance(credential, Credential):
            for part in (credential.token, *credential.token.replace(":", ".").split(".")):
                if len(part) >= _SHORT:
                    yield msgspec.json.encode(part)[1:-1]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
