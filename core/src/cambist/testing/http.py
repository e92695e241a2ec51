"""HTTP as tests want it: answers by script, or nobody there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

Scripted = Mapping[str, Any] | bytes | httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class ScriptedHttp(httpx.MockTransport):
    """Answers each URL as the script says, 404 otherwise; `asked` has every URL in order."""

    def __init__(self, script: Mapping[str, Scripted]) -> None:
        super().__init__(self._answer)
        self.script = dict(script)
        self.asked: list[str] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        found = self.script.get(str(request.url))
        if found is None:
            return httpx.Response(404)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, httpx.Response):
            return found
        if callable(found):
            return found(request)
        return httpx.Response(200, content=found) if isinstance(found, bytes) else httpx.Response(200, json=dict(found))


class DeafHttp(ScriptedHttp):
    """Nobody answers, whoever is asked."""

    def __init__(self) -> None:
        super().__init__({})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        raise httpx.ConnectError("nobody listens", request=request)
