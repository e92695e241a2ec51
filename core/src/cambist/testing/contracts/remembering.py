"""Whether something keeps a text that it should have forgotten."""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

import httpx

from ..forge import Forge

MANY = 200_000
"""How many objects are looked at, at the most."""
ELSEWHERE = (ModuleType, type, FunctionType, BuiltinFunctionType, httpx.AsyncBaseTransport, Forge)
"""What leads to everything, and what belongs to the test: scripted HTTP and forges may know the credential."""


def keeps(thing: object, text: str) -> bool:
    """Whether a text with this one in it can be reached from an object, through whatever that refers to."""
    raw, seen, ahead = text.encode(errors="surrogatepass"), set[int](), [thing, *vars(type(thing)).values()]
    while ahead and len(seen) < MANY:
        found = ahead.pop()
        if id(found) in seen or isinstance(found, ELSEWHERE):
            continue
        seen.add(id(found))
        if (isinstance(found, str) and text in found) or (isinstance(found, bytes | bytearray) and raw in found):
            return True
        ahead += gc.get_referents(found)
        ahead += found if isinstance(found, dict) else ()  # the collector passes over keys that are texts
    return False
