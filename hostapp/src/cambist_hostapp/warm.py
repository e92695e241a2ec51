"""What is done before a worker is forked, so that it has it at once: modules loaded, in memory that all workers share, and heirlooms."""

from __future__ import annotations

import base64
import gc
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from cambist.heirloom import heirlooms, inherit


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without the collector: what is loaded stays, and it would look through all of that again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def serving(server: str) -> None:
    """Load what workers serve with, while another process opens the service: it takes as long."""
    warm((f"{__package__}.worker", "cambist.web.app", f"{__package__}.servers.{server}"))


def loaded() -> frozenset[str]:
    return frozenset(sys.modules)


def left(before: frozenset[str]) -> Mapping[str, Any]:
    """What a child that opened the service tells: the modules that it took, and what it made for those who come after it."""
    made = {name: base64.b64encode(raw).decode() for name, raw in heirlooms().items()}
    return {"modules": sorted(loaded() - before), "heirlooms": made}


def taken(said: Mapping[str, Any]) -> None:
    """The same in the supervisor, for those who are forked from now on."""
    warm(said.get("modules", ()))
    inherit({name: base64.b64decode(raw) for name, raw in said.get("heirlooms", {}).items()})


def warm(modules: Iterable[str]) -> None:
    for name in modules:
        with suppress(Exception):  # what cannot be loaded by name was put there by another module
            importlib.import_module(name)
