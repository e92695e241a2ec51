"""The one wasmtime engine of this process: what a module may use at all, and the beat by which its time is measured."""

from __future__ import annotations

import math
import threading
from functools import cache
from types import TracebackType
from typing import Self

from wasmtime import Config, Engine

BEAT = 0.05
"""Seconds between two beats. An idle process pays for twenty of them a second, about 0.1 % of a core."""
MAX_STACK = 512 * 1024

_UNUSED = (
    "wasm_threads",
    "shared_memory",
    "wasm_tail_call",
    "wasm_simd",
    "wasm_relaxed_simd",
    "wasm_bulk_memory",
    "wasm_multi_value",
    "wasm_multi_memory",
    "wasm_memory64",
    "wasm_exceptions",
    "wasm_function_references",
    "wasm_gc",
    "wasm_component_model",
)
"""Proposals that OPA's modules do not need. Sandbox escapes have come from the newest of them, so none is on."""


class Runtime:
    """Compiles for all zones. While somebody holds it, time passes for what it runs.

    Fuel alone bounds instructions, not time: a module that does nothing but ask for memory takes forty times as long.
    """

    def __init__(self) -> None:
        self.engine = Engine(_config())
        self._lock = threading.Lock()
        self._holders = 0
        self._still = threading.Event()

    def __enter__(self) -> Self:
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._still = threading.Event()
                threading.Thread(target=self._beat, args=(self._still,), name="opa-wasm beat", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._still.set()

    def _beat(self, still: threading.Event) -> None:
        while not still.wait(BEAT):
            self.engine.increment_epoch()


def runtime() -> Runtime:
    """The same for all threads: a module of one engine is of no use to another."""
    with _making:
        return _runtime()


@cache
def _runtime() -> Runtime:
    return Runtime()


_making = threading.Lock()


def beats(seconds: float) -> int:
    """The number of beats after which `seconds` have certainly passed."""
    return math.ceil(seconds / BEAT) + 1


def _config() -> Config:
    config = Config()
    config.strategy = "cranelift"  # Winch, the other compiler, let modules out of the sandbox (CVE-2026-34987)
    config.consume_fuel = True
    config.epoch_interruption = True
    config.max_wasm_stack = MAX_STACK
    config.parallel_compilation = False  # its threads do not survive a fork, and a compilation in the child would wait for them
    for proposal in _UNUSED:
        setattr(config, proposal, False)
    return config
