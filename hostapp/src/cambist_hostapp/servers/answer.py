"""An answer as bytes: for requests that no server behind the gate ever hears of."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from cambist.errors import Refusal
from cambist.random_id import random_id
from cambist.web.asgi import headers_of
from cambist.web.refused import refused
from cambist.wire.call import Call, Reply

from .head import path_of


def answer(refusal: Refusal, seen: bytes) -> bytes:
    """A refusal in the shape of the endpoint that was asked; `seen` is what was heard of the request."""
    call = Call(method="HEAD" if seen.startswith(b"HEAD ") else "", path=path_of(seen), request_id=random_id())
    return written(refused(refusal, call), call, closes=True)


def written(reply: Reply, call: Call, *, closes: bool) -> bytes:
    """The answer to a call. Raises ValueError for a header that would be read as two: nobody splits an answer of ours."""
    headers = headers_of(reply, call)
    said = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if not said.count("\n") == said.count("\r") == len(headers):
        raise ValueError("a header of an answer holds a line break")
    closing = "connection: close\r\n" if closes else ""
    head = f"{_start(reply.status)}{said}content-length: {len(reply.body)}\r\n{closing}{_date(int(time.time()))}\r\n"
    return head.encode("latin-1") + (b"" if call.method == "HEAD" else reply.body)


@lru_cache(maxsize=64)
def _start(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    """Every answer has the time (RFC 9110 section 6.6.1)."""
    return f"date: {formatdate(second, usegmt=True)}\r\n"
