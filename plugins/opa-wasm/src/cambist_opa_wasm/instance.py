"""One instance of a module: its store, its memory, its limits. After it was stopped once it is not used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import wasmtime
from wasmtime import Func, Global, Module, Store

from cambist import Unavailable
from cambist.strictjson import NotStrict, loads

from .broken import Broken
from .calls import Call, Layer, Stopped
from .imports import SAID, SILENT, offered
from .memory import PAGE, LinearMemory
from .module import ABI, FUNCTIONS, MEMORY, pages
from .runtime import beats, runtime

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the rules may use up: units of fuel and seconds for each call, and pages of memory."""

    fuel: int
    deadline: float
    memory: int

    def loading(self, size: int) -> Bounds:
        """What reading `size` bytes of data may use up: 100 to 200 units are needed for a byte."""
        return Bounds(fuel=200_000_000 + 2_000 * size, deadline=10.0, memory=self.memory)


class Instance:
    """Rules with their data, ready to be asked. Used by one thread at a time."""

    def __init__(self, module: Module, data: bytes, entrypoint: str, bounds: Bounds, layer: Layer) -> None:
        """Raises Broken."""
        self._bounds, self._layer = bounds, layer
        self.spoilt = False
        self._store = Store(runtime().engine)
        self._allow(bounds.loading(len(data)))
        try:
            self._start(module)
            self._load(data, entrypoint)
        except Broken:
            raise
        except Unavailable as error:
            raise Broken(f"could not be loaded: {error.facts['cause']}") from error
        except Stopped as stopped:
            raise Broken(f"could not be loaded: {self._why(stopped)}") from stopped
        except Exception as error:  # what it says when it starts by itself comes in many kinds
            raise Broken(f"could not be started: {' '.join(str(error).split())[:300]}") from error

    def evaluate(self, question: bytes) -> bytes:
        """What the rules answer to a JSON document, as JSON. Raises Unavailable."""
        heap, size = self._heap, len(question)
        self._memory.write(heap, question)
        self._allow(self._bounds)
        self.spoilt = True  # until it has answered
        try:
            text = self._memory.text(self._eval(0, self._entry, self._data, heap, size, heap + size, 0))
        except Stopped as stopped:
            raise Unavailable(what="the policy", cause=self._why(stopped)) from stopped
        self.spoilt = False
        return text

    def _start(self, module: Module) -> None:
        store, (least, most) = self._store, pages(module)
        allowed = self._bounds.memory if most is None else min(most, self._bounds.memory)
        if least > allowed:
            raise Broken(f"needs {least} pages of memory, and may have {allowed}")
        store.set_limits(memory_size=allowed * PAGE, table_elements=65_536, instances=2, tables=4, memories=1)
        self._memory = LinearMemory(store, least, allowed)
        ours = wasmtime.Instance(store, offered(), []).exports(store)
        self._said = _as(Global, ours[SAID])
        lent = {**ours, MEMORY: self._memory.lent}
        self._exports = wasmtime.Instance(store, module, [lent[wanted.name or ""] for wanted in module.imports]).exports(store)

    def _load(self, data: bytes, entrypoint: str) -> None:
        major, minor = (_as(Global, self._exports[name]).value(self._store) for name in ABI)
        if major != 1 or minor < 2:
            raise Broken(f"speaks version {major}.{minor} of OPA's WebAssembly ABI, and 1.2 or a later 1 is needed")
        if needed := self._names("builtins"):
            raise Broken(f"needs functions that are not offered to rules: {', '.join(sorted(needed))}")
        entries = self._names("entrypoints")
        if entrypoint not in entries:
            raise Broken(f"has no entry point {entrypoint}, only {', '.join(sorted(entries)) or 'none'}")
        self._entry = entries[entrypoint]
        text = self._call("opa_malloc")(len(data))
        self._memory.write(text, data)
        self._data = self._call("opa_json_parse")(text, len(data))
        if not self._data:
            raise Broken("does not take its data for JSON")
        self._heap = self._call("opa_heap_ptr_get")()
        self._eval = self._call("opa_eval")

    def _names(self, export: str) -> dict[str, int]:
        """A table from names to small numbers, as the ABI has two of."""
        try:
            table = loads(self._memory.text(self._call("opa_json_dump")(self._call(export)())))
        except NotStrict as error:
            raise Broken(f"its {export} cannot be read: {error}") from error
        if not isinstance(table, dict) or any(type(number) is not int or not 0 <= number < PAGE for number in table.values()):
            raise Broken(f"its {export} are no table of numbers")
        return table

    def _call(self, name: str) -> Call:
        return self._layer(self._store, _as(Func, self._exports[name]), FUNCTIONS[name])

    def _allow(self, bounds: Bounds) -> None:
        self._allowed = bounds
        self._store.set_fuel(bounds.fuel)
        self._store.set_epoch_deadline(beats(bounds.deadline))

    def _why(self, stopped: Stopped) -> str:
        """Why it was stopped, in words for the operator."""
        if (said := self._said.value(self._store)) != SILENT:
            return f"the rules aborted: {self._last_words(said & 0xFFFFFFFF)} (they may have {self._bounds.memory} pages of memory)"
        if stopped.kind == "OUT_OF_FUEL":
            return f"out of fuel: it needs more than {self._allowed.fuel} units"
        if stopped.kind == "INTERRUPT":
            return f"out of time: it takes longer than {self._allowed.deadline} seconds"
        return f"the rules were stopped: {stopped}"

    def _last_words(self, address: int) -> str:
        try:
            return self._memory.text(address)[:300].decode("utf-8", "replace")
        except Unavailable:
            return "they do not say why"


def _as(kind: type[T], thing: object) -> T:
    if not isinstance(thing, kind):
        raise Broken(f"exports a {type(thing).__name__} where a {kind.__name__} belongs")
    return thing
