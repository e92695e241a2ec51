"""Modules that are loaded before a worker is forked: it has them at once, and in memory that all workers share."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from contextlib import suppress


def loaded() -> frozenset[str]:
    return frozenset(sys.modules)


def warm(modules: Iterable[str]) -> None:
    for name in modules:
        with suppress(Exception):  # what cannot be loaded by name was put there by another module
            importlib.import_module(name)
