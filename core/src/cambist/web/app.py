"""The Quart app: it mounts the table of endpoints, and answers everything else in JSON too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, RequestEntityTooLarge, RequestTimeout

from ..errors import Fault, Malformed, PathUnknown
from ..settings import Listen
from ..sts import Sts
from ..wire.call import Call, Reply
from .asgi import Asgi, ascii_query, call_of, headers_of, too_large, too_slow
from .endpoints import Endpoint, endpoints, refusing
from .forwarded import Forwarded
from .front import Front
from .limits import Limited
from .metrics import Metrics
from .shortcut import Shortcut, hot

log = logging.getLogger(__name__)

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]

View = Callable[[], Awaitable[Response]]


def create(sts: Sts, metrics: Metrics, only: frozenset[str] | None = None) -> Asgi:
    """The app of one listener; `only` names the paths that it serves, where it does not serve all."""
    return front(sts, metrics, only).asgi


def front(sts: Sts, metrics: Metrics, only: frozenset[str] | None = None) -> Front:
    """The same in both forms, which share what they count."""
    served = {path: endpoint for path, endpoint in endpoints(sts, metrics).items() if only is None or path in only}
    service = sts.settings.service
    listen, short = service.listen, hot(served, refusing(sts, Fault))
    found = Front(Shortcut(plain(routed(sts, served)), short, listen), short)
    found = found.behind(lambda inner: Limited(inner, listen.limits, service.reasons, metrics.turned_away))
    if listen.proxies:
        found = found.behind(lambda inner: Forwarded(inner, listen))
    if service.tracing:
        from .parent import Parented  # noqa: PLC0415 - it loads OpenTelemetry

        found = found.behind(Parented)
    return found


def routed(sts: Sts, served: Mapping[str, Endpoint]) -> Quart:
    """Every endpoint as a route of Quart, and JSON for everything else."""
    listen = sts.settings.service.listen
    app = Quart("cambist", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=listen.max_body, BODY_TIMEOUT=listen.body_timeout, RESPONSE_TIMEOUT=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # a path has one spelling: Quart would answer others with a redirect, by an HTML page
    for path, endpoint in served.items():
        app.add_url_rule(path, path, view(endpoint, listen), methods=METHODS)

    async def not_routed(error: HTTPException) -> Response:
        return await view(_instead(sts, served, error), listen)()

    app.register_error_handler(HTTPException, not_routed)
    return app


def plain(inner: Asgi) -> Asgi:
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
        "query_string": ascii_query(scope["query_string"]),
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
        trouble = too_large(listen)
    except RequestTimeout:
        trouble = too_slow(listen)
    return call_of(request.scope, body if isinstance(body, bytes) else body.encode(), trouble)


def _response(reply: Reply, call: Call) -> Response:
    response = Response(reply.body, reply.status)
    del response.headers["content-type"]
    for name, value in headers_of(reply, call):
        response.headers.add(name, value)
    return response
