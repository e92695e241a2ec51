"""Compiles a module, and holds what it asks for and what it gives against OPA's ABI before any of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from weakref import WeakValueDictionary

from wasmtime import FuncType, GlobalType, MemoryType, Module, WasmtimeError

from cambist.heirloom import heirloom

from .broken import Broken
from .runtime import runtime

FUNCTIONS: Mapping[str, int] = {
    "opa_eval": 7,
    "opa_malloc": 1,
    "opa_json_parse": 2,
    "opa_json_dump": 1,
    "opa_heap_ptr_get": 0,
    "builtins": 0,
    "entrypoints": 0,
}
"""What a module must export, with the number of parameters; all of them, and the result, are i32."""
ABI = ("opa_wasm_abi_version", "opa_wasm_abi_minor_version")
IMPORTS = frozenset({"opa_abort", "opa_println", *(f"opa_builtin{n}" for n in range(5))})
MEMORY = "memory"

_compiled: WeakValueDictionary[bytes, Module] = WeakValueDictionary()


def compiled(wasm: bytes) -> Module:
    """The module, compiled once for all zones that have it, and for all workers: 0.15 to 0.4 s. Raises Broken."""
    module = _compiled.get(wasm)
    if module is None:
        code = heirloom(f"opa-wasm {sha256(wasm).hexdigest()}", lambda: _code(wasm))
        module = Module.deserialize(runtime().engine, code)
        _check(module)
        _compiled[wasm] = module
    return module


def _code(wasm: bytes) -> bytes:
    """Machine code for this engine. Raises Broken."""
    try:
        return bytes(Module(runtime().engine, wasm).serialize())
    except WasmtimeError as error:
        raise Broken(f"not a WebAssembly module that can be used here: {_line(error)}") from error


def pages(module: Module) -> tuple[int, int | None]:
    """The memory that it asks for, and the most that it declares for itself, in pages of 64 KiB. Raises Broken."""
    for wanted in module.imports:
        if wanted.name == MEMORY and isinstance(wanted.type, MemoryType):
            return wanted.type.limits.min, wanted.type.limits.max
    raise Broken("imports no memory, so its own could not be limited")


def _check(module: Module) -> None:
    if unknown := sorted(f"{i.module}.{i.name}" for i in module.imports if i.module != "env" or i.name not in {MEMORY, *IMPORTS}):
        raise Broken(f"imports what is not offered: {', '.join(unknown)}")
    pages(module)
    exports = {export.name: export.type for export in module.exports}
    if missing := sorted(name for name in (*FUNCTIONS, *ABI) if name not in exports):
        raise Broken(f"does not export {', '.join(missing)} (OPA's WebAssembly ABI 1.2 or later)")
    # The fast layer calls without checking: a function of another signature would write where it should not.
    wrong = [name for name, arity in FUNCTIONS.items() if not _is_function(exports[name], arity)]
    wrong += [name for name in ABI if not _is_constant(exports[name])]
    if wrong:
        raise Broken(f"exports with another type than OPA's: {', '.join(sorted(wrong))}")


def _is_function(kind: object, arity: int) -> bool:
    return isinstance(kind, FuncType) and [str(p) for p in kind.params] == ["i32"] * arity and [str(r) for r in kind.results] == ["i32"]


def _is_constant(kind: object) -> bool:
    return isinstance(kind, GlobalType) and str(kind.content) == "i32"


def _line(error: WasmtimeError) -> str:
    return " ".join(str(error).split())[:300]
