"""One decision as one line of JSON: enough to tell the whole story from it, and no credential."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from cambist import Deny, Permit, PolicyInput, Proven, Record, Refusal
from cambist.audit import CANCELLED, PERMITTED
from cambist.caller import Caller
from cambist.entitlement import Entitlement
from cambist.request import ExchangeRequest
from cambist.token import MintedToken
from cambist.trace import Trace

from .parties import Told, chain, client, party
from .steps import outline, steps
from .withheld import Withheld, legible

T = TypeVar("T")

VERSION = 1
"""Of the line. It changes when a member changes its meaning or goes; new members may come without."""

MAX_LINE = 65_536
"""Bytes. What is too long for it is left out, and the line says so."""

_DETAILS = ("attributes", "facts", "refusal", "asked", "policy", "chain", "steps")
"""What a line that is too long does without, in this order."""

# Besides what JSON escapes: C1 controls, which some terminals obey, line separators, and what turns the direction of text.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def written(record: Record, attributes: Sequence[str], left_out: int) -> bytes:
    """The line, without its end. `left_out` is how many decisions before it were only counted."""
    return _fitted({**_head(record), **_body(record, attributes), "left_out": left_out})


def untold(record: Record, error: Exception, left_out: int) -> bytes:
    """The line of a decision whose story cannot be told: a plugin put something into it that is none of the expected values."""
    return _fitted({**_head(record), "untold": type(error).__name__, "left_out": left_out})


def moment(seconds: float) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    whole = math.floor(seconds)
    return f"{_second(whole)}.{math.floor((seconds - whole) * 1000):03d}Z"


@lru_cache(4)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _head(record: Record) -> dict[str, Any]:
    plain = record.outcome if record.outcome in (PERMITTED, CANCELLED) else "refused"
    return {
        "v": VERSION,
        "decision_id": record.decision_id,
        "at": moment(record.at),
        "outcome": plain,
        "reason": record.outcome if plain == "refused" else None,
    }


def _body(record: Record, attributes: Sequence[str]) -> dict[str, Any]:
    came = Came(record.trace)
    request = came.one("request", ExchangeRequest)
    withheld = Withheld(request)
    return {
        **({} if request is None else _exchange(request, came, attributes, withheld)),
        "policy": _policy(came, withheld),
        "granted": _granted(came, withheld) if record.outcome == PERMITTED else None,
        "refusal": None if record.refusal is None else _refusal(record.refusal, withheld),
        "steps": steps(record.trace, withheld),
    }


class Came:
    """What came of the steps, if it came to that."""

    def __init__(self, trace: Trace) -> None:
        self._outcomes = {step.name: step.outcome for step in trace.steps}

    def one(self, name: str, kind: type[T]) -> T | None:
        found = self._outcomes.get(name)
        return found if isinstance(found, kind) else None

    def of(self, name: str) -> Any:
        return self._outcomes.get(name)


def _exchange(request: ExchangeRequest, came: Came, attributes: Sequence[str], withheld: Withheld) -> dict[str, Any]:
    question = came.one("question", PolicyInput)
    caller = came.one("client", Caller) if question is None else question.client
    return {
        "zone": withheld.text(request.zone_id),
        "dialect": request.dialect,
        "grant_type": withheld.text(request.grant_type),
        "client": client(request, caller, withheld),
        "subject": party(request.subject, came.one("subject", Proven), attributes, withheld),
        "actor": party(request.actor, came.one("actor", Proven), attributes, withheld),
        "chain": chain(came.one("delegation", tuple) or ()),
        "asked": _asked(request, withheld),
    }


def _asked(request: ExchangeRequest, withheld: Withheld) -> Told:
    asked: dict[str, Any] = {
        "targets": withheld.texts(request.targets),
        "scope": withheld.texts(request.scope),
        "token_type": withheld.text(request.requested_token_type or ""),
        "ttl": request.ttl,
    }
    if (action := request.execution) is not None:
        nonce = hashlib.sha256(action.nonce.encode(errors="surrogatepass")).hexdigest()
        named = {"htm": action.htm, "htu": action.htu, "payload_hash": action.payload_hash or ""}
        asked["execution"] = {**{name: withheld.text(value) for name, value in named.items() if value}, "nonce_sha256": nonce}
    return _but_empty(asked)


def _policy(came: Came, withheld: Withheld) -> Told | None:
    """What was decided by which rules. Of the claims that a policy adds only the names: their values can be attributes."""
    answer = came.of("policy")
    if answer is None:
        return None
    rules = getattr(came.of("zone"), "policy", None)
    # Of the answer, if it says so: by now the policy may have other rules.
    revision = _said(answer, "revision") if getattr(answer, "revision", None) else _said(rules, "revision")
    told: dict[str, Any] = {"name": _said(rules, "name"), "revision": revision}
    if isinstance(answer, Permit):
        scope = withheld.texts(sorted(answer.scope or ()))
        told |= {"answer": "permit", "scope": scope, "ttl": answer.ttl, "claims": withheld.texts(sorted(answer.claims))}
    elif isinstance(answer, Deny):
        told |= {"answer": "deny", "reasons": withheld.texts(answer.reasons), "targets": withheld.texts(answer.targets)}
    return _but_empty(told)


def _said(rules: object, name: str) -> str | None:
    """What a policy says of itself; a policy that cannot say it is no reason to have no record."""
    try:
        return legible(str(getattr(rules, name)))
    except Exception:
        return None


def _granted(came: Came, withheld: Withheld) -> Told | None:
    ruling, minted = came.one("ruling", Entitlement), came.one("mint", MintedToken)
    if ruling is None or minted is None:
        return None
    granted = {
        "audience": withheld.texts(ruling.audience),
        "scope": withheld.texts(ruling.scope),
        "lifetime": ruling.lifetime,
        "expires_at": ruling.expires_at,
        "jti": minted.token_id,
        "kid": getattr(came.of("key"), "kid", None),
        "token_type": minted.issued_token_type,
    }
    return _but_empty(granted)


def _refusal(refusal: Refusal, withheld: Withheld) -> Told:
    told = {
        "reason": refusal.reason,
        "role": refusal.role,
        "said": withheld.text(refusal.said),
        "expected": withheld.plain(refusal.expected),
        "seen": withheld.plain(refusal.seen),
        "facts": withheld.plain(refusal.facts),
    }
    return {name: value for name, value in told.items() if value is not None and value != {}}


def _but_empty(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value}


# ── from a document to a line ───────────────────────────────────────────────────────────────────────────


def _fitted(document: Mapping[str, Any]) -> bytes:
    document = _but_empty(document)
    line = encoded(document)
    shortened: list[str] = []
    for detail in _DETAILS:
        if len(line) <= MAX_LINE:
            break
        if (without := _without(document, detail)) != document:
            document, shortened = without, [*shortened, detail]
            line = encoded({**document, "shortened": shortened})
    return line


def _without(document: Mapping[str, Any], detail: str) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name != detail}
    if detail == "attributes":
        kept |= {who: {k: v for k, v in document[who].items() if k != detail} for who in ("subject", "actor") if who in document}
    if detail == "facts":
        kept |= {"steps": [outline(step) for step in document.get("steps", ())]}
    return kept


def encoded(document: Mapping[str, Any]) -> bytes:
    """As JSON that shows nothing but what it says."""
    line = msgspec.json.encode(document)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()
