"""What one listener serves, in the two forms in which a server can ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..wire.call import Endpoint
from .asgi import Asgi


@dataclass(frozen=True)
class Front:
    """`asgi` answers every request. What is `hot` a server that has read a whole request may call by its path, and be answered alike."""

    asgi: Asgi
    hot: Mapping[str, Endpoint] = field(default_factory=dict)
