"""What one listener serves, in the two forms in which a server can ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..wire.call import Endpoint
from .asgi import Asgi, Receive, Scope, Send


class Layer(Protocol):
    """An ASGI application around another, which can stand around one endpoint as well that is called with the whole request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
    def around(self, endpoint: Endpoint) -> Endpoint: ...


@dataclass(frozen=True)
class Front:
    """`asgi` answers every request. What is `hot` a server that has read a whole request may call by its path, and be answered alike."""

    asgi: Asgi
    hot: Mapping[str, Endpoint] = field(default_factory=dict)

    def behind(self, layer: Callable[[Asgi], Layer]) -> Front:
        """The same, with one layer around both forms, so that what it counts it counts together."""
        made = layer(self.asgi)
        return Front(made, {path: made.around(endpoint) for path, endpoint in self.hot.items()})
