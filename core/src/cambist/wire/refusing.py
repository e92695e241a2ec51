"""How a refusal is told: one table for each dialect, and the members that both add."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..credential import Role
from ..errors import Refusal, Rejected, Unavailable, Unclaimed
from ..legible import legible
from ..spelling import overlooked
from .call import NO_STORE, Call, Headers


class Told(NamedTuple):
    """The status and the error code of a refusal in one dialect."""

    status: int
    error: str


MAX_SAID = 512
"""Characters of one text in an answer."""
MAX_LISTED = 100
"""Items of one list in an answer, or members of one object."""
MAX_DEPTH = 3
MAX_PHRASE = 160
"""Characters of what was expected, and of what was seen, within the description."""

_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*", re.ASCII)
"""A token that was sent in a wrong place: in an answer it would end up in the caller's logs."""
# RFC 6749 section 5.2 allows printable ASCII without quotes and backslashes.
_NOT_SAID = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")

Table = Mapping[type[Refusal], Told]


def row(table: Table, refusal: Refusal) -> Told:
    """The row of the nearest ancestor."""
    return table[nearest(table, type(refusal))]


def nearest(table: Table, kind: type[Refusal]) -> type[Refusal]:
    """The kind that has a row: its own, or for one of a plugin's that of core's from which it is made."""
    return next(parent for parent in kind.__mro__ if parent in table)


def is_the_clients(refusal: Refusal) -> bool:
    """Whether it was the caller's own proof that was refused; a dependency that is down is not the caller's."""
    return refusal.role == Role.CLIENT and isinstance(refusal, Rejected | Unclaimed)


def explained(table: Table, refusal: Refusal, call: Call, page: str) -> dict[str, Any]:
    """What happened, the link (RFC 6749 section 5.2), the stable reason, and what was expected and seen of the caller's own."""
    expected, seen = _plain(refusal.expected), _plain(refusal.seen)
    found = None if expected is None or seen is None else overlooked(expected, seen)
    details = {"expected": expected, "seen": seen, "role": refusal.role, "differs_in": found and found[1], "hint": refusal.hint or None}
    return {
        "error_description": description(refusal, expected, seen, found),
        "error_uri": f"{page}#{nearest(table, type(refusal)).reason}",
        "reason": refusal.reason,
        "decision_id": refusal.decision_id,
        "request_id": call.request_id,
        "details": {name: value for name, value in details.items() if value is not None},
    }


def _plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """What a caller sent comes back to it, but not at any length; of what is no plain value its type."""
    if value is None or type(value) is bool or type(value) is float:
        return value
    if isinstance(value, str):
        text = legible(value, MAX_SAID)
        return _JWT.sub("[withheld]", text) if "eyJ" in text else text
    if isinstance(value, int):
        return value if abs(value) < 2**53 else f"<a number of {value.bit_length()} bits>"
    if isinstance(value, list | tuple) and depth:
        return [_plain(one, depth - 1) for one in value[:MAX_LISTED]]
    if isinstance(value, Mapping) and depth:
        return {legible(str(name), 64): _plain(one, depth - 1) for name, one in list(value.items())[:MAX_LISTED]}
    return f"<{type(value).__name__}>"


def description(refusal: Refusal, expected: Any, seen: Any, found: tuple[str, list[str]] | None) -> str:
    """What happened, with what was expected and seen: several SDKs show their users this text and the link, and nothing else."""
    said = refusal.said if len(refusal.said) <= MAX_SAID else f"{refusal.said[:MAX_SAID]}..."
    # What has words of its own names in them what a parameter was and should be; what a policy says is said as it is.
    if (expected is not None or seen is not None) and (isinstance(refusal, Rejected | Unclaimed) or refusal.said == refusal.meaning()):
        phrases = [phrase for phrase in (_phrase("expected", expected, said, " or "), _phrase("seen", seen, said, " and ")) if phrase]
        if found is not None:
            phrases.append(f"{found[0][:MAX_PHRASE]} differs from it in {' and '.join(found[1])}")
        said = f"{said.removesuffix('.')} ({'; '.join(phrases)})" if phrases else said
    return _NOT_SAID.sub("?", _JWT.sub("[withheld]", said) if "eyJ" in said else said)


def _phrase(name: str, value: Any, said: str, between: str) -> str:
    """A text, a number, some of them or some with their names; nothing for what is not as simple, or is said already."""
    if isinstance(value, dict):
        # Times were told in words, as so many seconds.
        told = ", ".join(_members(value)) if name == "seen" and "now" not in value else ""
    elif (texts := _texts(value)) and not all(text in said for text in texts):
        told = between.join(texts)
    else:
        told = ""
    return f"{name} {told[:MAX_PHRASE]}{'...' if len(told) > MAX_PHRASE else ''}" if told else ""


def _members(value: Mapping[str, Any]) -> Iterator[str]:
    for name, one in value.items():
        if texts := _texts(one):
            yield f"{name} {' and '.join(texts)}"


def _texts(value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    return [] if any(type(one) not in (str, int) for one in several) else [str(one) for one in several]


def reference(refusal: Refusal) -> str:
    """Reason and decision, for clients that show the description and nothing else: by these the rest can be asked for."""
    decision = f", decision {refusal.decision_id}" if refusal.decision_id else ""
    return f"({refusal.reason}{decision})"


def headers(refusal: Refusal) -> Headers:
    more: Headers = (("cambist-decision-id", refusal.decision_id),) if refusal.decision_id else ()
    if isinstance(refusal, Unavailable):
        more = (*more, ("retry-after", str(refusal.retry_after)))
    return (*NO_STORE, *more)
