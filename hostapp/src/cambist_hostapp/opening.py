"""Opening the service in a process of its own: what the check does, and every worker begins with."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from cambist import DidNotStart, Settings, Sts
from cambist.clock import Clock
from cambist.keys import EphemeralKeys
from cambist.plugins import Finder
from cambist.store import MemoryStore

from .listeners import listeners, opened, server


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a test may put in the place of the real thing."""

    clock: Clock = time.time
    finder: Finder | None = None


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On uvloop, whichever server it is: under Hypercorn, too, a request costs a sixth less than on asyncio's own loop."""
    import uvloop

    gc.disable()  # until `settled`: what is made while a service opens stays, and would be looked through again and again
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def settled() -> None:
    """The service is open: what there is now lasts as long as the process, so the collector never has to look at it while it serves."""
    gc.freeze()
    gc.enable()


async def check(settings: Settings, given: Given) -> None:
    """Open the service once before any worker does, so that files and their schema are there. Raises DidNotStart."""
    listen = settings.service.listen
    for listener in listeners(listen):
        server(listen, listener.tls)
    async with Sts(settings, clock=given.clock, finder=given.finder) as sts:
        await opened(sts)
        if problems := _alone(sts, listen.workers):
            raise DidNotStart(problems)


def _alone(sts: Sts, workers: int) -> list[str]:
    """What several workers would each have of their own: a mark made in one is unknown to the others (H15)."""
    if workers == 1:
        return []
    kept: list[tuple[str, object, type]] = [("store", sts.store, MemoryStore), ("keys", sts.keys, EphemeralKeys)]
    return [
        f"listen.workers: {workers} workers cannot share {name} in memory; enable a plugin for `{name}`, or serve with one worker"
        for name, thing, kind in kept
        if isinstance(thing, kind)
    ]
