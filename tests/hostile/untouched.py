"""Says what of core is no longer what it was: every function, by where it stands."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any


def functions() -> Mapping[str, tuple[int, CodeType]]:
    """Every function and method of core's modules that are loaded, and the code that it runs."""
    modules = {name: module for name, module in sys.modules.items() if name == "cambist" or name.startswith("cambist.")}
    return {place: (id(function), function.__code__) for name, module in modules.items() for place, function in _of(name, module)}


def _of(prefix: str, owner: ModuleType | type) -> Iterator[tuple[str, FunctionType]]:
    for name, value in list(vars(owner).items()):
        place = f"{prefix}.{name}"
        if isinstance(value, type) and value.__module__ == prefix:
            yield from _of(place, value)
        for function in _functions(value):
            yield place, function


def _functions(value: Any) -> Iterator[FunctionType]:
    parts: tuple[Any, ...] = (value.fget, value.fset, value.fdel) if type(value) is property else (value,)
    for part in parts:
        function = part.__func__ if type(part) in (classmethod, staticmethod) else part
        if type(function) is FunctionType:
            yield inspect.unwrap(function)


def changed(before: Mapping[str, tuple[int, CodeType]]) -> list[str]:
    """What stood there before and is another one now, or gone."""
    now = functions()
    return sorted(place for place, found in before.items() if now.get(place) != found)
