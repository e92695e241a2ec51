"""Policies in WebAssembly, each with one fault: made here, of WebAssembly's text format, by the name of the fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cambist_opa_wasm.testing import ANSWER, bundle, wasm

MARK = "~"
"""A question that holds it gets the fault, and any other a sound answer: so the rules pass their trial, and fail at work."""
ALLOW, DENY = {"allow": True}, {"allow": False, "reasons": ["no"]}
_ELSEWHERE, _END = 16_384, 2 * 65_536
_TWO = '[{"result":{"allow":true}},{"result":{"allow":true}}]'


def _at_work(fault: str) -> dict[str, Any]:
    """An evaluation that looks for MARK in its input first."""
    return {
        "result": ALLOW,
        "opa_eval": (
            "(local $at i32) (local.set $at (local.get 3)) (loop $next"
            f" (if (i32.eq (i32.load8_u (local.get $at)) (i32.const {ord(MARK)})) (then {fault}))"
            " (local.set $at (i32.add (local.get $at) (i32.const 1)))"
            " (br_if $next (i32.lt_u (local.get $at) (i32.add (local.get 3) (local.get 4)))))"
            f" (i32.const {ANSWER})"
        ),
    }


def _answering(text: str) -> dict[str, Any]:
    data = "".join(f"\\{byte:02x}" for byte in text.encode())
    return {**_at_work(f"(return (i32.const {_ELSEWHERE}))"), "extra": f'(data (i32.const {_ELSEWHERE}) "{data}\\00")'}


_FOREVER = "(loop $again br $again)"
_GROW = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"
_UNENDED = f"(i32.store8 (i32.const {_END - 1}) (i32.const 65)) (return (i32.const {_END - 1}))"

_AT_WORK: Mapping[str, dict[str, Any]] = {
    "trap": _at_work("unreachable"),
    "abort": _at_work(f"(call $abort (i32.const {ANSWER})) (return (i32.const 1))"),
    "null-addr": _at_work("(return (i32.const 0))"),
    "not-terminated": _at_work(_UNENDED),
    "loop": _at_work(_FOREVER),
    "oom": _at_work(_GROW),
    "oob": _at_work(f"(return (i32.const {_END}))"),
    "empty-set": _answering("[]"),
    "two-results": _answering(_TWO),
}
_UNFIT: Mapping[str, dict[str, Any]] = {
    "missing-export": {"opa_eval": None},
    "builtin-unknown": {"builtins": {"acme.lookup": 0}},
    "builtin-http": {"builtins": {"http.send": 0}},
    "badabi": {"abi": (2, 0)},
}
# The first evaluation that is made of what it left behind answers otherwise than the one before.
_STATE: Mapping[str, Any] = {
    "result": ALLOW,
    "extra": "(global $seen (mut i32) (i32.const 0))",
    "opa_eval": f"(if (global.get $seen) (then unreachable)) (global.set $seen (i32.const 1)) (i32.const {ANSWER})",
}
_SIGNATURES = b'{"signatures": ["x.y.z"]}'
AT_WORK = frozenset(_AT_WORK)
"""Faults that show at work only, so that a question without MARK is answered."""
SHUT = frozenset({"bad-magic", "signature"})
"""Files that are no policy at all: a service that is given one does not start."""
MOVING = frozenset({"hotswap", "data-race"})
"""Faults of what happens while evaluations run: the file is replaced, the data are."""

FAULTS: Mapping[str, Callable[[], bytes]] = {
    **{name: partial(wasm, **changes) for name, changes in {**_AT_WORK, **_UNFIT}.items()},
    "bad-magic": lambda: b"this is no module",
    "signature": lambda: bundle({"/policy.wasm": wasm(result=ALLOW), "/data.json": b"{}", "/.signatures.json": _SIGNATURES}),
    "shared-state": partial(wasm, **_STATE),
    "hotswap": partial(wasm, result=ALLOW),
    "data-race": partial(wasm, result=ALLOW),
}


def sound(answer: Mapping[str, Any]) -> bytes:
    """A policy without fault, that always answers the same."""
    return wasm(result=answer)
