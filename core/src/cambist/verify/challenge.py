"""How a request without a good token is answered (RFC 6750 section 3, RFC 9110 section 11.6.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from .refused import INSUFFICIENT_SCOPE, CannotVerify, TokenRefused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_UNQUOTABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""What error_description may not hold (RFC 6750 section 3)."""
POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered in place of the application."""

    status: int
    header: tuple[str, str]
    document: Mapping[str, Any]


def refusal(refused: TokenRefused, needed: Collection[str]) -> Reply:
    """`needed` are the scopes that this application wants of everybody."""
    return Reply(refused.status, ("www-authenticate", www_authenticate(refused, needed)), refused.document())


def unavailable(error: CannotVerify) -> Reply:
    document = {"error": "temporarily_unavailable", "error_description": f"{error}; try again later", "reason": error.reason}
    return Reply(503, ("retry-after", str(error.retry_after)), document)


def www_authenticate(refused: TokenRefused, needed: Collection[str]) -> str:
    """Without an error code where no token was sent: a client that knows of none is told no more than what is needed."""
    parts = {"error": refused.error, "error_description": refused.error and _UNQUOTABLE.sub("?", refused.sentence())}
    if refused.error in (None, INSUFFICIENT_SCOPE) and needed:
        parts["scope"] = " ".join(sorted(needed))
    told = [f'{name}="{value}"' for name, value in parts.items() if value]
    return " ".join(["Bearer", ", ".join(told)]) if told else "Bearer"


async def answer(reply: Reply, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    kind = "http"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        kind = "websocket.http"
    body = json.dumps(reply.document).encode()
    headers = [reply.header, ("content-type", "application/json"), ("content-length", str(len(body))), ("cache-control", "no-store")]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": f"{kind}.response.start", "status": reply.status, "headers": encoded})
    await send({"type": f"{kind}.response.body", "body": body})
