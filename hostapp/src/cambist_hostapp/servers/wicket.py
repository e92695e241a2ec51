"""A small door in the gate: what is asked all the time is answered there.

A server behind the gate would take a request apart a second time, and put its answer together twice; that costs a third of an exchange on
Uvicorn, and as much as two on Hypercorn. Everything else is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from cambist.random_id import random_id
from cambist.value import Value, replace
from cambist.web.asgi import call_of, named
from cambist.wire.call import Call, Endpoint

from .answer import written
from .framing import REMEMBERED
from .head import Head

Hot = Mapping[str, Endpoint]
"""What answers at such paths, given the whole request."""

METHODS = frozenset({b"GET", b"POST"})
"""HEAD, and those that are refused, are asked too rarely to be looked at here."""


class Asked(Value, frozen=True):
    """What a head asks of an endpoint: a call that lacks nothing but its body, and a name where the client gave none."""

    endpoint: Endpoint
    call: Call
    named: bool

    async def answered(self, body: bytes, *, closes: bool) -> bytes:
        """Raises what `written` does."""
        call = replace(self.call, body=body, request_id=self.call.request_id if self.named else random_id())
        return written(await self.endpoint(call), call, closes=closes)


class Wicket:
    """That of one connection from `peer`. It knows the last head that it has read: most are the one before."""

    __slots__ = ("_asked", "_head", "_hot", "peer")

    def __init__(self, hot: Hot) -> None:
        self._hot, self.peer = hot, ""
        self._head: Head | None = None
        self._asked: Asked | None = None

    def asked(self, head: Head) -> Asked | None:
        """What is asked of a hot endpoint; None where that is for the server behind."""
        if head is self._head:
            return self._asked
        found = _asked(head, self.peer, self._hot)
        self._head, self._asked = (head, found) if len(head.raw) <= REMEMBERED else (None, None)
        return found


def _asked(head: Head, peer: str, hot: Hot) -> Asked | None:
    target, _, query = head.target.partition(b"?")
    path = target.decode("ascii")
    if path not in hot or head.method not in METHODS or head.version != b"1" or not head.plain:
        return None
    parted = [line.partition(b":") for line in head.raw.split(b"\r\n")[1:-2]]
    scope = {
        "method": head.method.decode("ascii"),
        "path": path,
        "query_string": query,
        "headers": [(name.lower(), value.strip(b" \t")) for name, _, value in parted],
        "client": (peer, 0),
    }
    return Asked(hot[path], call_of(scope, b"", None), bool(named(scope)))
