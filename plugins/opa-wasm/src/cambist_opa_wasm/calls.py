"""Two ways to call a function of a module: fast, through wasmtime's own bindings, and through its public interface.

The public interface looks up the types of the function and converts each value: 30 to 50 microseconds a call. The
unchecked call of the C interface takes 2.5. It trusts the caller to know the signature: `module.py` has compared it.
Neither is used on a store by two threads at once.
"""

from __future__ import annotations

import ctypes
import struct
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import wasmtime
from wasmtime import Func, Store

_VALUE = 16
_NEEDED = ("_wasmtime_func_call_unchecked", "wasmtime_val_raw_t", "wasm_trap_t")


class Stopped(Exception):
    """The module did not return. `kind` is wasmtime's name for why, in upper case, where it has one."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Call(Protocol):
    """A function from numbers of 32 bits, without a sign, to one."""

    def __call__(self, *arguments: int) -> int:
        """Raises Stopped; after that nothing in the store may be used again."""


class Layer(Protocol):
    """One of the two ways."""

    def __call__(self, store: Store, function: Func, arity: int, /) -> Call: ...


class PublicCall:
    """Through the public interface."""

    def __init__(self, store: Store, function: Func, _arity: int, /) -> None:
        self._store, self._function = store, function

    def __call__(self, *arguments: int) -> int:
        try:
            result = self._function(self._store, *arguments)
        except Exception as error:  # wasmtime-py may raise here what was left behind by another thread's callback
            raise _stopped(error) from None
        return int(result) & 0xFFFFFFFF


class RawCall:
    """Through the bindings, on arguments that are laid out once."""

    def __init__(self, store: Store, function: Func, arity: int, /) -> None:
        bindings = raw_bindings()
        if bindings is None:
            raise LookupError("this wasmtime has no unchecked call")
        size = max(arity, 1)  # the result takes the place of the first argument
        self._keep = (store, function)
        self._call, self._trap = bindings._wasmtime_func_call_unchecked, ctypes.POINTER(bindings.wasm_trap_t)
        self._values = (bindings.wasmtime_val_raw_t * size)()
        self._layout = struct.Struct("<" + "I12x" * arity)
        self._fixed = (store._context(), ctypes.byref(function._func), self._values, size)

    def __call__(self, *arguments: int) -> int:
        self._layout.pack_into(self._values, 0, *arguments)
        trap = self._trap()
        if error := self._call(*self._fixed, ctypes.byref(trap)):
            raise _stopped(wasmtime.WasmtimeError._from_ptr(error))
        if trap:
            raise _stopped(wasmtime.Trap._from_ptr(trap))
        return int(self._values[0].i32) & 0xFFFFFFFF


def raw_bindings() -> ModuleType | None:
    """wasmtime's own bindings, if they are what RawCall was written for."""
    try:
        bindings = import_module("wasmtime._bindings")
    except ImportError:
        return None
    if not all(hasattr(bindings, name) for name in _NEEDED) or not hasattr(Store, "_context"):
        return None
    value: Any = bindings.wasmtime_val_raw_t
    return bindings if ctypes.sizeof(value) == _VALUE and value.i32.offset == 0 else None


def fastest() -> Layer:
    return PublicCall if raw_bindings() is None else RawCall


def _stopped(error: Exception) -> Stopped:
    """What a trap says, without the module's stack."""
    kind = ""
    if isinstance(error, wasmtime.Trap):
        try:
            kind = error.trap_code.name if error.trap_code else ""
        except ValueError:  # a code that this wasmtime's enumeration does not know
            kind = ""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return Stopped(kind, lines[-1] if lines else "stopped")
