"""The endpoints that are asked all the time, answered before Quart's routing: it costs more than an exchange does.

Quart serves the same endpoints, and answers alike: what is measured here is nothing but a way around it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ..clock import within
from ..errors import DeadlineExceeded, Malformed
from ..settings import Listen
from ..wire.call import Call, Reply
from .asgi import Asgi, Receive, Scope, Send, answer, call_of, too_large, too_slow
from .endpoints import Endpoint

log = logging.getLogger(__name__)

HOT = ("/oauth/2/token", "/v1/exchange/token", "/.well-known/jwks.json")
"""How such paths end: those of a zone begin with the path of its issuer."""


def hot(table: Mapping[str, Endpoint], failed: Endpoint) -> Mapping[str, Endpoint]:
    """Those of a table that are asked all the time. Where one of them fails, `failed` answers: a fault of ours is told as one."""
    return {path: _whole(endpoint, failed) for path, endpoint in table.items() if path.endswith(HOT)}


def _whole(endpoint: Endpoint, failed: Endpoint) -> Endpoint:
    async def whole(call: Call) -> Reply:
        try:
            return await endpoint(call)
        except Exception:
            log.exception("an endpoint failed")
            return await failed(call)

    return whole


@dataclass(frozen=True)
class Shortcut:
    """An ASGI application that answers at its own `endpoints`, and leaves everything else to `inner`."""

    inner: Asgi
    endpoints: Mapping[str, Endpoint]
    listen: Listen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self.endpoints:
            return await self.inner(scope, receive, send)
        try:
            call = await self._call(scope, receive)
        except _Gone:
            return None
        # A server may cancel us when the client hangs up; what was begun is finished and recorded all the same.
        return await answer(await asyncio.shield(self.endpoints[call.path](call)), call, send)

    async def _call(self, scope: Scope, receive: Receive) -> Call:
        body: bytes = b""
        trouble: Malformed | None = None
        try:
            body = await within(self.listen.body_timeout, "the body", _body(scope, receive, self.listen.max_body))
        except _TooLarge:
            trouble = too_large(self.listen)
        except DeadlineExceeded:
            trouble = too_slow(self.listen)
        return call_of(scope, body, trouble)


class _TooLarge(Exception):
    pass


class _Gone(Exception):
    pass


async def _body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Raises _TooLarge as soon as it is known, _Gone when the client hung up before its end."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > most:
            raise _TooLarge
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > most:
            raise _TooLarge
        if not message.get("more_body", False):
            return body
