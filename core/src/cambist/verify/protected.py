"""An ASGI application behind a verifier: a request without a good token does not reach it (RFC 6750)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import quote

from . import challenge
from .execution import Action
from .refused import CannotVerify, TokenRefused
from .token import VerifiedToken
from .verifier import Verifier

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 application."""

TOKEN = "cambist.token"
"""Where the application finds the VerifiedToken in its scope."""
MAX_BODY = 1 << 20

_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
"""RFC 6750 section 2.1."""


class Protected:
    """Lets requests through to `app` that bring a good token with all of `scope`; `scope["cambist.token"]` is then what it says.

    Everything else is answered here: 401, 403 or 400 with a challenge and the reason, 503 when it cannot be told. `url` is how
    clients write the root of this application: with it (and `spent` of the verifier), tokens for one HTTP request are
    accepted for that request; `max_body` bytes of its body are read for this.
    """

    def __init__(
        self, app: App, verifier: Verifier, *, scope: Collection[str] = (), url: str | None = None, max_body: int = MAX_BODY
    ) -> None:
        if isinstance(scope, str):
            raise TypeError("scope: a set of scopes, not one text")
        self._app, self._verifier, self._scope = app, verifier, frozenset(scope)
        self._url, self._max_body = url and url.rstrip("/"), max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        body = Body(receive, self._max_body)
        try:
            token = await self._judged(scope, body)
        except Gone:
            return
        except TokenRefused as refused:
            await challenge.answer(challenge.refusal(refused, self._scope), scope, receive, send)
        except CannotVerify as error:
            await challenge.answer(challenge.unavailable(error), scope, receive, send)
        else:
            await self._app({**scope, TOKEN: token}, body.receive, send)

    async def _judged(self, scope: Scope, body: Body) -> VerifiedToken:
        token = bearer([value for name, value in scope["headers"] if name.lower() == b"authorization"])
        return await self._verifier.verify(token, scope=self._scope, action=self._action(scope, body))

    def _action(self, scope: Scope, body: Body) -> Action | None:
        """The request by the name that clients know: what `Host` says is the caller's word."""
        if self._url is None or scope["type"] != "http":
            return None
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
        query = b"?" + scope["query_string"] if scope.get("query_string") else b""
        return Action(method=scope["method"], url=self._url + (path + query).decode("latin-1"), body=body.read)


class Gone(Exception):
    """The client hung up before its body had arrived."""


class Body:
    """A request's body: read once for the verifier if need be, and given again to the application."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._read: bytes | None = None

    async def read(self) -> bytes:
        body, more = bytearray(), True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Gone
            body += message.get("body", b"")
            if len(body) > self._most:
                raise TokenRefused("body_too_large", "The body is too long to be judged", expected=self._most, status=413)
            more = message.get("more_body", False)
        self._read = bytes(body)
        return self._read

    async def receive(self) -> Message:
        """As the application calls it."""
        if self._read is None:
            return await self._receive()
        body, self._read = self._read, None
        return {"type": "http.request", "body": body, "more_body": False}


def bearer(headers: list[bytes]) -> str:
    """The token of the Authorization headers of a request. Raises TokenRefused."""
    if len(headers) > 1:
        raise TokenRefused("authorization_malformed", "There is more than one Authorization header", seen=len(headers))
    scheme = headers[0].strip().partition(b" ")[0].lower() if headers else b""
    if scheme != b"bearer":
        raise TokenRefused("token_missing", "There is no bearer token")
    if (found := _BEARER.fullmatch(headers[0].strip())) is None:
        raise TokenRefused("authorization_malformed", "What follows Bearer is not a token")
    return found[1].decode("ascii")
