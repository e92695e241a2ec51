"""The fence around every call of a plugin: whatever it raises gets its name, and only what it raised on purpose passes as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from .errors import PluginFault, Refusal


@contextmanager
def fenced(plugin: str) -> Iterator[None]:
    """Around a call of a plugin, awaited or not. Its refusals pass and are told to be its own; everything else is a PluginFault."""
    try:
        yield
    except Refusal as refusal:
        if not isinstance(getattr(refusal, "facts", None), dict):  # a subclass that never called its parent
            raise PluginFault(plugin, refusal) from refusal
        refusal.facts.setdefault("plugin", plugin)
        raise
    except BaseException as error:
        if not is_its_own(error):
            error.add_note(plugin)  # `within` tells from it whom a deadline waited for
            raise
        raise PluginFault(plugin, error) from error


def is_its_own(error: BaseException) -> bool:
    """Whether a plugin raised it by itself.

    A deadline or a caller who hung up, the operator's Ctrl-C, a coroutine that is closed: those only pass through it.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or task.cancelling() == 0
    return type(error) is not KeyboardInterrupt and not isinstance(error, GeneratorExit)


def words(error: BaseException) -> str:
    """What an error says, though it may fail to say it."""
    try:
        return str(error)
    except Exception:
        return "(it cannot be told)"


def place(error: BaseException) -> str:
    """The kind of an error and where it was raised, without its words: a credential may be among them (I10)."""
    frames = extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
