"""The trace that a caller has begun (W3C Trace Context), carried to the spans. Mounted only where spans are written."""

from __future__ import annotations

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .asgi import Asgi, Receive, Scope, Send

_W3C = TraceContextTextMapPropagator()


class Parented:
    """What cannot be read as a trace, or was sent twice, was not sent (Trace Context sections 2.2 and 4.3)."""

    def __init__(self, inner: Asgi) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = parent(scope) if scope["type"] == "http" else None
        if found is None:
            return await self.inner(scope, receive, send)
        token = attach(found)
        try:
            return await self.inner(scope, receive, send)
        finally:
            detach(token)


def parent(scope: Scope) -> Context | None:
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"]
    if len(sent) != 1:
        return None
    return _W3C.extract({"traceparent": sent[0]})  # without `tracestate`: nobody is called on the caller's behalf who could want it
