"""How one part of the service is, in a word or a sentence: `ok`, or what is wrong with it."""

from __future__ import annotations

import asyncio

from .errors import Refusal
from .fence import is_its_own
from .hooks import CanPing

PING_TIMEOUT = 2.0


def running(task: asyncio.Task[None]) -> str:
    """What has done its work is well; what failed is not."""
    return "ok" if not task.done() or (not task.cancelled() and task.exception() is None) else "stopped"


async def pinged(thing: CanPing) -> str:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await thing.ping()
    except TimeoutError:
        return "no answer in time"
    except Refusal as refusal:
        return str(refusal.facts.get("cause", refusal.reason))
    except BaseException as error:
        if not is_its_own(error):
            raise
        return type(error).__name__
    return "ok"
