"""One exchange as it goes over the wire, in either dialect: pure, the same for asyncio and for threads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

from ..client_proof import Proof
from ..egress import allowed
from ..errors import Unavailable
from ..zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from .refused import ExchangeRefused, ExchangeUnavailable
from .token import IssuedToken
from .wanted import Wanted

Dialect: TypeAlias = Literal["form", "json"]
PATHS: Mapping[Dialect, str] = {"form": "/oauth/2/token", "json": "/v1/exchange/token"}
MAX_ANSWER = 256 * 1024
LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent: a POST, whose headers and body may hold credentials."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


def endpoint(url: str, dialect: Dialect) -> str:
    """Raises ValueError where credentials would cross a network in the clear."""
    try:
        return str(allowed(url.rstrip("/") + PATHS[dialect]))
    except Unavailable as error:
        raise ValueError(f"{url}: {error.facts['cause']}") from error


def request(url: str, dialect: Dialect, wanted: Wanted, proof: Proof | None) -> Request:
    headers, proved = proof or ({}, {})
    members = {**_members(wanted), **proved}
    sent = {"accept": "application/json", "accept-encoding": "identity", **headers}
    if dialect == "form":
        if wanted.execution is not None:
            raise ValueError("execution: the form endpoint has no such parameter; ask in the dialect json")
        kind, content = "application/x-www-form-urlencoded", urlencode(members, doseq=True)
    else:
        if len(wanted.audience) == 1:
            members["audience"] = wanted.audience[0]
        kind, content = "application/json", json.dumps(members)
    return Request(url=url, headers={**sent, "content-type": kind}, content=content.encode())


def _members(wanted: Wanted) -> dict[str, Any]:
    members: dict[str, Any] = {
        "grant_type": CLIENT_CREDENTIALS if wanted.subject is None else TOKEN_EXCHANGE,
        "subject_token": wanted.subject and wanted.subject.token,
        "subject_token_type": wanted.subject and wanted.subject.token_type,
        "actor_token": wanted.actor and wanted.actor.token,
        "actor_token_type": wanted.actor and wanted.actor.token_type,
        "audience": list(wanted.audience),
        "resource": list(wanted.resource),
        "scope": " ".join(wanted.scope),
        "zone_id": wanted.zone,
        "ttl_seconds": wanted.ttl,
        "execution_scope": wanted.execution and dict(wanted.execution),
    }
    return {name: value for name, value in members.items() if value not in (None, "", [])}


def answered(status: int, headers: Mapping[str, str], body: bytes, now: float) -> IssuedToken:
    """The token in an answer to what was asked at `now`. Raises ExchangeRefused, ExchangeUnavailable."""
    document = _document(body)
    decision = headers.get("cambist-decision-id")
    if status != 200:
        raise _failed(status, headers, document, decision)
    token, kind, seconds = document.get("access_token"), document.get("token_type"), document.get("expires_in")
    if not (isinstance(token, str) and token and isinstance(kind, str) and kind and _is_lifetime(seconds)):
        raise ExchangeUnavailable("the answer is not that of a token endpoint", reason="answer_unclear", status=status)
    scope = document.get("scope")
    return IssuedToken(
        access_token=token,
        token_type=kind,
        issued_token_type=document.get("issued_token_type"),
        scope=frozenset(scope.split()) if isinstance(scope, str) else None,
        issued_at=now,
        expires_at=now + float(seconds or 0),
        decision_id=decision,
        document=document,
    )


def _is_lifetime(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _failed(
    status: int, headers: Mapping[str, str], document: Mapping[str, Any], decision: str | None
) -> ExchangeRefused | ExchangeUnavailable:
    """A refusal is the caller's to mend; what is 429 or 503 passes by itself."""
    code, details = document.get("reason") or document.get("error"), document.get("details")
    down = status >= 500 or status == 429
    kind = ExchangeUnavailable if down or code is None else ExchangeRefused
    return kind(
        str(document.get("error_description") or f"the service answered {status}"),
        reason=str(code or "answer_unclear"),
        hint=details.get("hint") if isinstance(details, dict) else None,
        decision_id=decision or document.get("decision_id"),
        status=status,
        retryable=status in (429, 502, 503, 504),
        retry_after=_seconds(headers.get("retry-after")),
        document=document,
    )


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; a date is not read (RFC 9110 section 10.2.3 has both)."""
    return min(float(text), LONGEST_WAIT) if text and text.isascii() and text.isdigit() else None


def unreachable(url: str, error: Exception) -> ExchangeUnavailable:
    """Without what the library says of it: there may be a credential in the words."""
    return ExchangeUnavailable(f"no answer from {url}: {type(error).__name__}", reason="no_answer", retryable=True)


def pause(error: ExchangeUnavailable, patience: float) -> float | None:
    """How long to wait before the next attempt; None where there is none, for only a 503 promises that nothing was issued."""
    if error.status != 503 or error.retry_after is None or (wait := max(1.0, error.retry_after)) > patience:
        return None
    return wait
