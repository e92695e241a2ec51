"""One HTTP request as plain values, and one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from ..errors import Malformed, Refusal
from ..request import ExchangeRequest
from ..token import MintedToken
from ..value import Value

Headers = tuple[tuple[str, str], ...]
NO_STORE: Headers = (("cache-control", "no-store"), ("pragma", "no-cache"))


class Call(Value, frozen=True, kw_only=True):
    """A request as the server saw it. `trouble` is what went wrong before there was a body to read."""

    UNSEEN = frozenset({"body"})

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    trouble: Malformed | None = None
    request_id: str = ""
    peer: str = ""
    """The address that the connection came from."""

    def header(self, name: str) -> str | None:
        """A header that may be sent once; raises Malformed when it was sent more often."""
        found = None
        for key, value in self.headers:
            if len(key) == len(name) and key.lower() == name:  # most names are others, and of another length
                if found is not None:
                    raise Malformed(f"the header {name} is repeated", seen=name)
                found = value
        return found


class Reply(Value, frozen=True, kw_only=True):
    """An answer."""

    status: int
    body: bytes = b""
    headers: Headers = ()


def json_reply(status: int, document: Any, headers: Headers = NO_STORE) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(document), headers=(("content-type", "application/json"), *headers))


class Dialect(Protocol):
    """One way to say the same: how a request is read, and how the answer and the refusal are told."""

    name: str

    def read(self, call: Call) -> ExchangeRequest: ...
    def answer(self, token: MintedToken, call: Call) -> Reply: ...
    def refuse(self, refusal: Refusal, call: Call) -> Reply: ...


Endpoint = Callable[[Call], Awaitable[Reply]]
Read = Callable[[Call], ExchangeRequest]
Accepts = Mapping[str, frozenset[str]]
"""For each zone, the media types that its endpoints take beside their own."""
