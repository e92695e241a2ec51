"""Opening the service in a process of its own: what the check does, and every worker begins with."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from cambist import DidNotStart, Settings, Sts
from cambist.clock import Clock
from cambist.connection import trusted
from cambist.keys import EphemeralKeys
from cambist.plugins import CanLook, Finder, Installed, named
from cambist.store import MemoryStore

from .listeners import opened


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a test may put in the place of the real thing."""

    clock: Clock = time.time
    finder: Finder | None = None

    def found(self, settings: Settings) -> Given:
        """The same for all who are forked from now on, with what each of them would read anew: what is installed, and who is trusted."""
        finder = self.finder or Installed()
        if isinstance(finder, CanLook):
            finder.look(named(settings))
        with suppress(OSError):  # who opens the service says it
            trusted(settings.service.egress.ca_file)
        return replace(self, finder=finder)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On uvloop, whichever server it is: under Hypercorn, too, a request costs a sixth less than on asyncio's own loop."""
    gc.disable()  # until `settled`: what is made while a service opens stays, and would be looked through again and again
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def settled() -> None:
    """The service is open: what there is now lasts as long as the process, so the collector never has to look at it while it serves."""
    gc.freeze()
    gc.enable()


async def check(settings: Settings, given: Given, loaded: Callable[[], None]) -> None:
    """Open the service once before any worker does, so that files and their schema are there. Raises DidNotStart.

    `loaded` is called when the plugins are, before their rules are compiled: whoever waits can load them meanwhile.
    """
    async with Sts(settings, clock=given.clock, finder=given.finder) as sts:
        loaded()
        await opened(sts)
        if problems := _alone(sts, settings.service.listen.workers):
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
