"""Small policies in WebAssembly's text format, good and precisely broken, for tests that have no OPA.

Here a value's address is the address of its JSON text, so that parsing and dumping are nothing.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from wasmtime import wat2wasm

ENTRYPOINT = "cambist/exchange/decision"
ALLOW: Mapping[str, Any] = {"allow": True, "claims": {"rules": "first"}}
ANSWER = 8192
"""Where the answer's text lies, so that a test can point beside it."""
_ENTRIES, _BUILTINS = 1024, 4096

_FUNCTIONS: Mapping[str, tuple[int, str]] = {
    "opa_eval": (7, f"(i32.const {ANSWER})"),
    "opa_malloc": (1, "(local $at i32) (local.set $at (global.get $heap))"
                      " (global.set $heap (i32.add (global.get $heap) (local.get 0))) (local.get $at)"),
    "opa_json_parse": (2, "(local.get 0)"),
    "opa_json_dump": (1, "(local.get 0)"),
    "opa_heap_ptr_get": (0, "(global.get $heap)"),
    "builtins": (0, f"(i32.const {_BUILTINS})"),
    "entrypoints": (0, f"(i32.const {_ENTRIES})"),
}  # fmt: skip
_HEAD = """(module
  (import "env" "opa_abort" (func $abort (param i32)))
  (import "env" "opa_println" (func $println (param i32)))
  (import "env" "opa_builtin0" (func $builtin0 (param i32 i32) (result i32)))"""

Change = str | tuple[int, str] | None


def wat(
    *,
    result: Any = ALLOW,
    answer: str | None = None,
    abi: tuple[int, int] = (1, 3),
    builtins: Mapping[str, int] | None = None,
    entrypoints: Mapping[str, int] | None = None,
    pages: int | str = 2,
    heap: int = 65_536,
    head: str = "",
    extra: str = "",
    **changes: Change,
) -> str:
    """The text of a policy that always answers `result`, or with the text `answer`.

    `pages` and `heap` lay out its memory, `head` are more imports, `extra` is whatever else; `changes` are functions by
    name: a new body, (number of parameters, body), or None for one that is missing.
    """
    texts = {
        ANSWER: answer if answer is not None else json.dumps([{"result": result}]),
        _ENTRIES: json.dumps({ENTRYPOINT: 0} if entrypoints is None else entrypoints),
        _BUILTINS: json.dumps(builtins or {}),
    }
    lines = [_HEAD, head, f'  (import "env" "memory" (memory {pages}))', f"  (global $heap (mut i32) (i32.const {heap}))"]
    lines += [
        f'  (global (export "opa_wasm_abi_{name}") i32 (i32.const {n}))' for name, n in zip(("version", "minor_version"), abi, strict=True)
    ]
    lines += [_function(name, arity, changes.get(name, body)) for name, (arity, body) in _FUNCTIONS.items()]
    lines += [f'  (data (i32.const {at}) "{_escaped(text)}\\00")' for at, text in texts.items()]
    return "\n".join([*lines, extra, ")"])


def wasm(**changes: Any) -> bytes:
    """The same as a module."""
    return bytes(wat2wasm(wat(**changes)))


def bundle(members: Mapping[str, bytes]) -> bytes:
    """A bundle as OPA packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return packed.getvalue()


def _function(name: str, arity: int, change: Change) -> str:
    if change is None:
        return ""
    arity, body = change if isinstance(change, tuple) else (arity, change)
    return f'  (func (export "{name}") {"(param i32) " * arity}(result i32) {body})'


def _escaped(text: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in text.encode())
