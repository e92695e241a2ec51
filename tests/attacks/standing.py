"""The service under attack: the real one, over real HTTP, with its clock standing where the set was made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from cambist.testing.serving import Served, SharedClock, serve

from .wire import Request, ask
from .witness import Witness

WORKERS = 2
Server = Literal["hypercorn", "uvicorn"]


class Standing(Protocol):
    """A service that stands: where it listens, and who heard whom it called."""

    @property
    def port(self) -> int: ...
    @property
    def witness(self) -> Witness: ...
    def finish(self) -> str:
        """Stop it; and all that it wrote."""


class Serve(Protocol):
    """Starts a service; it stands until the block ends."""

    def __call__(self, settings: Mapping[str, Any], at: float, folder: Path) -> AbstractAsyncContextManager[Standing]: ...


@dataclass(frozen=True, slots=True)
class Real:
    """`cambist serve` with its workers."""

    served: Served
    witness: Witness

    @property
    def port(self) -> int:
        return self.served.port

    def finish(self) -> str:
        """Its log, and the arguments of its processes."""
        arguments = [_arguments(pid) for pid in (self.served.supervisor, *self.served.pids)]
        self.served.stop()
        return "\n".join([self.served.log, *arguments])


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except OSError:  # it ended, or this is no Linux
        return ""


async def _answering(port: int) -> None:
    """Workers that are open may not be listening yet: the first case must not be the one that finds out."""
    for _ in range(200):
        if (await ask(port, Request(path="/health", method="GET").raw())).status == 200:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the service does not answer")


def real(server: Server) -> Serve:
    """Two workers on one of the servers."""

    @asynccontextmanager
    async def standing(settings: Mapping[str, Any], at: float, folder: Path) -> AsyncIterator[Standing]:
        heard = folder / "heard"
        listening = {**settings, "plugins": {**settings["plugins"], "heard": {"record": str(heard)}}}
        modules = {"heard": "attacks.heard"}
        served = serve(listening, clock=SharedClock(at), workers=WORKERS, server=server, modules=modules)
        one = await asyncio.to_thread(served.__enter__)
        try:
            await _answering(one.port)
            yield Real(one, Witness(heard))
        finally:
            await asyncio.to_thread(served.__exit__, None, None, None)

    return standing
