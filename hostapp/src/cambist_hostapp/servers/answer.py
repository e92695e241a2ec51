"""A refusal as bytes: for requests that no server behind the gate ever hears of."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from cambist.errors import Refusal
from cambist.random_id import random_id
from cambist.web.asgi import headers_of
from cambist.web.refused import refused
from cambist.wire.call import Call

from .head import path_of


def answer(refusal: Refusal, seen: bytes) -> bytes:
    """In the shape of the endpoint that was asked; `seen` is what was heard of the request."""
    call = Call(method="", path=path_of(seen), request_id=random_id())
    reply = refused(refusal, call)
    own = (("content-length", str(len(reply.body))), ("connection", "close"), ("date", formatdate(usegmt=True)))
    head = "".join(f"{name}: {value}\r\n" for name, value in (*headers_of(reply, call), *own))
    start = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
    return f"{start}{head}\r\n".encode("latin-1") + (b"" if seen.startswith(b"HEAD ") else reply.body)
