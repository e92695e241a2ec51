"""The Quart app: it mounts the table of endpoints, and answers everything else in JSON too."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, RequestEntityTooLarge, RequestTimeout

from ..errors import BodyTooLarge, Fault, Malformed, PathUnknown
from ..settings import Listen
from ..sts import Sts
from ..wire.call import Call, Reply
from .endpoints import Endpoint, endpoints, refusing
from .metrics import Metrics

log = logging.getLogger(__name__)

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NOT_ASCII = re.compile(rb"[^\x21-\x7e]")

View = Callable[[], Awaitable[Response]]


def create(sts: Sts, metrics: Metrics, only: frozenset[str] | None = None) -> Quart:
    """The app of one listener; `only` names the paths that it serves, where it does not serve all."""
    listen = sts.settings.service.listen
    app = Quart("cambist", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=listen.max_body, BODY_TIMEOUT=listen.body_timeout, RESPONSE_TIMEOUT=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # a path has one spelling: Quart would answer others with a redirect, by an HTML page
    served = {path: endpoint for path, endpoint in endpoints(sts, metrics).items() if only is None or path in only}
    for path, endpoint in served.items():
        app.add_url_rule(path, path, view(endpoint, listen), methods=METHODS)

    async def not_routed(error: HTTPException) -> Response:
        return await view(_instead(sts, served, error), listen)()

    app.register_error_handler(HTTPException, not_routed)
    app.asgi_app = plain(app.asgi_app)  # type: ignore[method-assign]  # where Quart's documentation puts middleware
    return app


def plain(inner: Callable[..., Awaitable[None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """An ASGI application that Quart can read, whatever was sent: what it stumbles over is outside of every error handler."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await inner(_plainly(scope) if scope["type"] == "http" else scope, receive, send)

    return asgi


def _plainly(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same request: `//health` is not `/health`, the query is ASCII, and Host, which decides nothing (decision 29), is not read."""
    path = scope["path"]
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "path": f"/.{path}" if path.startswith("//") or not path else path,
        "query_string": _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], scope["query_string"]),
        "headers": [*headers, (b"host", b"localhost")],
    }


def _instead(sts: Sts, served: Mapping[str, Endpoint], error: HTTPException) -> Endpoint:
    """Who answers where Quart would with a page of its own."""
    if isinstance(error, MethodNotAllowed):
        return served[request.path]  # a method that nobody has heard of; the endpoint says which it takes
    return refusing(sts, Fault if isinstance(error, InternalServerError) else PathUnknown)


def view(endpoint: Endpoint, listen: Listen) -> View:
    async def quart_view() -> Response:
        # Quart cancels a view when the client hangs up; what was begun is finished and recorded all the same.
        return await asyncio.shield(asyncio.ensure_future(_answered(endpoint, await _call(listen))))

    return quart_view


async def _answered(endpoint: Endpoint, call: Call) -> Response:
    return _response(await endpoint(call), call)


async def _call(listen: Listen) -> Call:
    body: bytes | str = b""
    trouble: Malformed | None = None
    try:
        body = await request.get_data(as_text=False)
    except RequestEntityTooLarge:
        trouble = BodyTooLarge(expected=listen.max_body)
    except RequestTimeout:
        trouble = Malformed("the body did not arrive in time", expected=listen.body_timeout)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"])
    sent = request.headers.get("x-request-id", "")
    return Call(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        headers=headers,
        body=body if isinstance(body, bytes) else body.encode(),
        trouble=trouble,
        request_id=sent if _REQUEST_ID.fullmatch(sent) else str(uuid.uuid4()),
    )


def _response(reply: Reply, call: Call) -> Response:
    response = Response(reply.body, reply.status)
    del response.headers["content-type"]
    for name, value in (*reply.headers, ("x-request-id", call.request_id), ("x-content-type-options", "nosniff")):
        response.headers.add(name, value)
    return response
