"""How a refusal is told: one table for each dialect, and the members that both add."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..credential import Role
from ..errors import Denied, Refusal, Rejected, Unavailable, Unclaimed
from ..legible import legible
from ..spelling import overlooked
from .call import NO_STORE, Call, Headers


class Told(NamedTuple):
    """The status and the error code of a refusal in one dialect."""

    status: int
    error: str


PAGE = "/reasons"
"""Where this service explains its reasons itself, when nothing else is said."""
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
    """The link (RFC 6749 section 5.2), the stable reason, and what was expected and seen of the caller's own."""
    return {
        "error_uri": f"{page}#{nearest(table, type(refusal)).reason}",
        "reason": refusal.reason,
        "decision_id": refusal.decision_id,
        "request_id": call.request_id,
        "details": dict(_details(refusal)),
    }


def _details(refusal: Refusal) -> Iterator[tuple[str, Any]]:
    for name in ("expected", "seen", "role"):
        if (value := getattr(refusal, name)) is not None:
            yield name, _plain(value)
    if found := _overlooked(refusal):
        yield "differs_in", found
    if refusal.hint:
        yield "hint", refusal.hint


def _overlooked(refusal: Refusal) -> list[str]:
    return [] if refusal.expected is None or refusal.seen is None else overlooked(refusal.expected, refusal.seen)


def _plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """What a caller sent comes back to it, but not at any length; of what is no plain value its type."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**53 else f"<a number of {value.bit_length()} bits>"
        case str():
            text = legible(value, MAX_SAID)
            return _JWT.sub("[withheld]", text) if "eyJ" in text else text
        case Mapping() if depth:
            return {legible(str(name), 64): _plain(one, depth - 1) for name, one in list(value.items())[:MAX_LISTED]}
        case list() | tuple() if depth:
            return [_plain(one, depth - 1) for one in value[:MAX_LISTED]]
        case _:
            return f"<{type(value).__name__}>"


def description(refusal: Refusal) -> str:
    """What happened, with what was expected and seen: several SDKs show their users this text and the link, and nothing else."""
    said = refusal.said if len(refusal.said) <= MAX_SAID else f"{refusal.said[:MAX_SAID]}..."
    # What a policy says is said as it is; and what was named in the words already is not said twice.
    if not isinstance(refusal, Denied):
        phrases = [phrase for name in ("expected", "seen") if (phrase := _phrase(name, getattr(refusal, name), said))]
        phrases += [f"they differ in {', '.join(found)}"] if (found := _overlooked(refusal)) else []
        said = f"{said} ({'; '.join(phrases)})" if phrases else said
    return _NOT_SAID.sub("?", _JWT.sub("[withheld]", said) if "eyJ" in said else said)


def _phrase(name: str, value: object, said: str) -> str:
    """A text, a number or a list of texts in words; nothing for what is not as simple, or is said already."""
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in several):
        return ""
    texts = [str(_plain(one)) for one in several]
    if all(text in said for text in texts):
        return ""
    told = " or ".join(texts) if name == "expected" else " and ".join(texts)
    return f"{name} {told[:MAX_PHRASE]}{'...' if len(told) > MAX_PHRASE else ''}"


def headers(refusal: Refusal) -> Headers:
    more: Headers = (("cambist-decision-id", refusal.decision_id),) if refusal.decision_id else ()
    if isinstance(refusal, Unavailable):
        more = (*more, ("retry-after", str(refusal.retry_after)))
    return (*NO_STORE, *more)
