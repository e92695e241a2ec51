"""What a module may call, itself a module.

Nothing of Python is ever called from inside. So fuel and time bound everything, and no exception waits in wasmtime-py's
process-wide `LAST_EXCEPTION` for another thread's trap to be taken for it. `opa_builtin…` are there because every module
of OPA imports them; one that would call them is refused when it is loaded.
"""

from __future__ import annotations

from functools import cache

from wasmtime import Module

from .runtime import runtime

SAID = "said"
SILENT = -1
_TEXT = f"""(module
  (global $said (export "{SAID}") (mut i32) (i32.const {SILENT}))
  (func (export "opa_abort") (param i32) (global.set $said (local.get 0)) unreachable)
  (func (export "opa_println") (param i32))
  (func (export "opa_builtin0") (param i32 i32) (result i32) unreachable)
  (func (export "opa_builtin1") (param i32 i32 i32) (result i32) unreachable)
  (func (export "opa_builtin2") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "opa_builtin3") (param i32 i32 i32 i32 i32) (result i32) unreachable)
  (func (export "opa_builtin4") (param i32 i32 i32 i32 i32 i32) (result i32) unreachable))"""


@cache
def offered() -> Module:
    return Module(runtime().engine, _TEXT)
