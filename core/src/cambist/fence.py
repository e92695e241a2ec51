"""The fence around every call of a plugin: whatever it raises gets its name, and only what it raised on purpose passes as it is."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from traceback import extract_tb
from types import TracebackType

from .errors import PluginFault, Refusal


class Fence:
    """Around a call of a plugin, awaited or not. Its refusals pass and are told to be its own; everything else is a PluginFault.

    A class and no generator: it is entered half a dozen times for each request, and costs a third so.
    """

    __slots__ = ("_plugin",)

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, Refusal):
            if not isinstance(getattr(error, "facts", None), dict):  # a subclass that never called its parent
                raise PluginFault(self._plugin, error) from error
            error.facts.setdefault("plugin", self._plugin)
        elif is_its_own(error):
            raise PluginFault(self._plugin, error) from error
        else:
            error.add_note(self._plugin)  # `within` tells from it whom a deadline waited for


@cache
def fenced(plugin: str) -> Fence:
    """The fence of a plugin, as in `with fenced(plugin):`. It keeps nothing of a call, so that each plugin needs one only."""
    return Fence(plugin)


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
