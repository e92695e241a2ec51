"""How a refusal is told: one table for each dialect, and the members that both add."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..credential import Role
from ..errors import Refusal, Rejected, Unavailable, Unclaimed
from .call import NO_STORE, Call, Headers


class Told(NamedTuple):
    """The status and the error code of a refusal in one dialect."""

    status: int
    error: str


MAX_SAID = 512
"""Characters of one text in an answer."""
MAX_LISTED = 100
"""Items of one list in an answer."""

_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*", re.ASCII)
"""A token that was sent in a wrong place: in an answer it would end up in the caller's logs."""

Table = Mapping[type[Refusal], Told]


def row(table: Table, refusal: Refusal) -> Told:
    """The row of the nearest ancestor."""
    return next(table[kind] for kind in type(refusal).__mro__ if kind in table)


def is_the_clients(refusal: Refusal) -> bool:
    """Whether it was the caller's own proof that was refused; a dependency that is down is not the caller's."""
    return refusal.role == Role.CLIENT and isinstance(refusal, Rejected | Unclaimed)


def explained(refusal: Refusal, call: Call) -> dict[str, Any]:
    """The stable reason, and what was expected and seen of the caller's own."""
    details = {"expected": refusal.expected, "seen": refusal.seen, "role": refusal.role, "hint": refusal.hint or None}
    return {
        "reason": refusal.reason,
        "decision_id": refusal.decision_id,
        "request_id": call.request_id,
        "details": {name: _short(value) for name, value in details.items() if value is not None},
    }


def _short(value: object) -> object:
    """What a caller sent comes back to it, but not at any length."""
    if isinstance(value, list):
        return [_short(item) for item in value[:MAX_LISTED]]
    if not isinstance(value, str):
        return value
    text = f"{value[:MAX_SAID]}…" if len(value) > MAX_SAID else value
    return _JWT.sub("[withheld]", text) if "eyJ" in text else text


def description(refusal: Refusal) -> str:
    """RFC 6749 section 5.2 allows printable ASCII without quotes and backslashes."""
    return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "?", refusal.said)


def headers(refusal: Refusal) -> Headers:
    more: Headers = (("cambist-decision-id", refusal.decision_id),) if refusal.decision_id else ()
    if isinstance(refusal, Unavailable):
        more = (*more, ("retry-after", str(refusal.retry_after)))
    return (*NO_STORE, *more)
