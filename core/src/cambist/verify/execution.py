"""The one HTTP action that a token with an execution scope is for, held against the request that it came with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..compact import encode
from .refused import TokenRefused

DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A request as the API received it: its method, its whole URL as clients write it, and its body, read when it is needed."""

    method: str
    url: str
    body: Callable[[], Awaitable[bytes]] = field(repr=False)


async def check(execution: object, action: Action) -> None:
    """Raises TokenRefused unless the request is the one that the token was issued for."""
    meant = _members(execution)
    if meant["htm"] != action.method:
        raise TokenRefused("execution_mismatch", "The token is for another method", expected=meant["htm"], seen=action.method)
    if _compared(meant["htu"]) != _compared(action.url):
        raise TokenRefused("execution_mismatch", "The token is for another URL", expected=meant["htu"], seen=action.url)
    body = await action.body()
    if not hmac.compare_digest(meant.get("payload_hash", digest(b"")), digest(body)):
        raise TokenRefused("execution_mismatch", "The token is for another body")


def digest(body: bytes) -> str:
    """`payload_hash`: the SHA-256 of a body, as base64url without padding."""
    return encode(hashlib.sha256(body).digest())


def _members(execution: object) -> Mapping[str, str]:
    """A member that is not known may bind the token to more than is checked here."""
    known = {"htm", "htu", "nonce", "payload_hash"}
    if not isinstance(execution, Mapping) or not {"htm", "htu", "nonce"} <= execution.keys() <= known:
        raise TokenRefused("credential_malformed", "The execution scope of the token has not the members that it must have")
    if not all(isinstance(value, str) and value.isascii() for value in execution.values()):
        raise TokenRefused("credential_malformed", "The execution scope of the token is not text")
    return execution


def _compared(url: str) -> Any:
    """Scheme, host and port by what they mean (RFC 3986 section 6.2.2.1); the rest letter by letter: routers read one path in many ways."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None, url
    return parts.scheme, parts.username, parts.hostname, port, parts.path or "/", parts.query
