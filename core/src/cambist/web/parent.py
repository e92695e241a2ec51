"""The trace that a caller has begun (W3C Trace Context), carried to the spans. Mounted only where spans are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.context import attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..wire.call import Call, Endpoint, Reply
from .asgi import Asgi, Receive, Scope, Send

_W3C = TraceContextTextMapPropagator()


class Parented:
    """What cannot be read as a trace, or was sent twice, was not sent (Trace Context sections 2.2 and 4.3)."""

    def __init__(self, inner: Asgi) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"traceparent"]
        with _within(sent):
            return await self.inner(scope, receive, send)

    def around(self, endpoint: Endpoint) -> Endpoint:
        """The same for one endpoint that is called with the whole request."""

        async def traced(call: Call) -> Reply:
            with _within([value for name, value in call.headers if name == "traceparent"]):
                return await endpoint(call)

        return traced


@contextmanager
def _within(sent: Sequence[str]) -> Iterator[None]:
    if len(sent) != 1:
        yield
        return
    # Without `tracestate`: nobody is called on the caller's behalf who could want it.
    token = attach(_W3C.extract({"traceparent": sent[0]}))
    try:
        yield
    finally:
        detach(token)
