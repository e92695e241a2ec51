"""One HTTP request of an ASGI server as a call, and one reply as an answer of it: for all who mount the endpoints."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ..errors import BodyTooLarge, Malformed
from ..random_id import random_id
from ..settings import Listen
from ..wire.call import Call, Headers, Reply

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_NOT_ASCII = re.compile(rb"[^\x21-\x7e]")


def ascii_query(raw: bytes) -> bytes:
    """The query as a client should have sent it."""
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], raw) if raw else raw


def call_of(scope: Scope, body: bytes, trouble: Malformed | None) -> Call:
    """`Host`, which decides nothing (decision 29), is left out."""
    headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name != b"host"])
    return Call(
        method=scope["method"],
        path=scope["path"],
        query=ascii_query(scope["query_string"]).decode("ascii"),
        headers=headers,
        body=body,
        trouble=trouble,
        request_id=named(scope) or random_id(),
        peer=peer_of(scope),
    )


def peer_of(scope: Scope) -> str:
    """The address that the connection came from."""
    return str((scope.get("client") or ("",))[0])


def named(scope: Scope) -> str:
    """What the client calls its request, if it can be said back; else nothing, and we find a name."""
    sent = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return sent[0].decode() if len(sent) == 1 and _REQUEST_ID.fullmatch(sent[0]) else ""


def headers_of(reply: Reply, call: Call) -> Headers:
    """The headers of an answer, but for its length."""
    return (*reply.headers, ("x-request-id", call.request_id), ("x-content-type-options", "nosniff"))


def too_large(listen: Listen) -> Malformed:
    return BodyTooLarge(expected=listen.max_body)


def too_slow(listen: Listen) -> Malformed:
    return Malformed("the body did not arrive in time", expected=listen.body_timeout)


async def answer(reply: Reply, call: Call, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers_of(reply, call)]
    headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
