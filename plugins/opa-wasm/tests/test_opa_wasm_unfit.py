"""Modules that are refused when they are loaded, each with what is wrong with it: nothing unfit is ever asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from cambist_opa_wasm.broken import Broken
from cambist_opa_wasm.calls import Layer, PublicCall, RawCall
from cambist_opa_wasm.instance import Bounds
from cambist_opa_wasm.loaded import LoadedRules
from cambist_opa_wasm.rules import read
from cambist_opa_wasm.runtime import runtime
from cambist_opa_wasm.testing import ANSWER, ENTRYPOINT, wasm

pytestmark = pytest.mark.row("P-opa-wasm")

BOUNDS = Bounds(fuel=1_000_000, memory=16, deadline=0.25)


@pytest.fixture(params=[RawCall, PublicCall])
def layer(request: pytest.FixtureRequest) -> Iterator[Layer]:
    with runtime():
        chosen: Layer = request.param
        yield chosen


def loaded(tmp_path: Path, layer: Layer, module: bytes) -> LoadedRules:
    path = tmp_path / "rules.wasm"
    path.write_bytes(module)
    return LoadedRules(read(path, None), ENTRYPOINT, BOUNDS, layer)


def broken(tmp_path: Path, layer: Layer, **changes: Any) -> str:
    with pytest.raises(Broken) as caught:
        loaded(tmp_path, layer, wasm(**changes))
    return caught.value.cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        pytest.param({"opa_eval": None}, "does not export opa_eval", id="missing-export"),
        pytest.param({"builtins": {"acme.lookup": 0}}, "functions that are not offered to rules: acme.lookup", id="builtin-unknown"),
        pytest.param({"builtins": {"opa.runtime": 1, "http.send": 0}}, "to rules: http.send, opa.runtime", id="builtin-http"),
        pytest.param({"abi": (2, 0)}, "version 2.0", id="badabi"),
        pytest.param({"abi": (1, 1)}, "version 1.1", id="badabi-old"),
        pytest.param({"pages": 17}, "needs 17 pages of memory, and may have 16", id="oom-at-start"),
        pytest.param({"opa_eval": (6, "(i32.const 8192)")}, "another type than OPA's: opa_eval", id="signature-arity"),
        pytest.param({"opa_json_parse": "(i32.const 0)"}, "does not take its data for JSON", id="data-refused"),
        pytest.param({"opa_malloc": "unreachable"}, "could not be loaded: the rules were stopped", id="trap-in-malloc"),
        pytest.param({"opa_malloc": "(i32.const -16)"}, "do not fit into its memory", id="malloc-oob"),
        pytest.param({"opa_heap_ptr_get": "(i32.const -16)"}, "do not fit into its memory", id="heap-oob"),
        pytest.param({"entrypoints": {"other/rule": 0}}, "no entry point cambist/exchange/decision, only other/rule", id="no-entrypoint"),
        pytest.param({"entrypoints": {ENTRYPOINT: -1}}, "no table of numbers", id="entrypoint-negative"),
        pytest.param({"entrypoints": {ENTRYPOINT: True}}, "no table of numbers", id="entrypoint-true"),
        pytest.param({"opa_json_dump": "(i32.const 0)"}, "outside its memory", id="tables-null"),
        pytest.param({"opa_json_dump": "(i32.add (local.get 0) (i32.const 1))"}, "builtins cannot be read", id="tables-not-json"),
        pytest.param({"extra": "(func $boot unreachable) (start $boot)"}, "could not be started", id="trap-at-start"),
        pytest.param({"extra": "(func $boot (loop $l (br $l))) (start $boot)"}, "could not be started", id="loop-at-start"),
        pytest.param({"extra": "(table 100000 funcref)"}, "could not be started", id="large-table"),
        pytest.param({"extra": "(memory 1)"}, "multiple memories", id="two-memories"),
        pytest.param(
            {"extra": "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9)))"},
            "bulk memory support is not enabled",
            id="unused-proposal",
        ),
        pytest.param({"opa_json_parse": "(i32.const -1)", "opa_eval": "(i32.load (local.get 2))"}, "out of bounds", id="data-oob"),
        pytest.param({"opa_eval": "unreachable"}, "failed on a question about nobody", id="trial-trap"),
        pytest.param({"answer": "[]"}, "undefined: no rule answers", id="trial-undefined"),
        pytest.param({"result": {"allow": "yes"}}, "failed on a question about nobody", id="trial-unclear"),
    ],
)
def test_unfit_rules_are_refused_when_they_are_loaded(tmp_path: Path, layer: Layer, changes: dict[str, Any], cause: str) -> None:
    assert cause in broken(tmp_path, layer, **changes)


def test_rules_that_keep_something_between_evaluations_are_refused(tmp_path: Path, layer: Layer) -> None:
    """shared-state: an answer that depends on who asked before is nobody's answer."""
    state = '(global $n (mut i32) (i32.const 0)) (data (i32.const 16384) "[{\\22result\\22:{\\22allow\\22:false}}]\\00")'
    turn = f"(global.set $n (i32.xor (global.get $n) (i32.const 1))) (select (i32.const {ANSWER}) (i32.const 16384) (global.get $n))"
    assert "answers one question in two ways" in broken(tmp_path, layer, opa_eval=turn, extra=state)


@pytest.mark.parametrize("wanted", ['"env" "fd_write"', '"wasi_snapshot_preview1" "opa_println"', '"env" "opa_builtin5"'])
def test_rules_that_import_anything_else_are_refused_with_its_name(tmp_path: Path, layer: Layer, wanted: str) -> None:
    source = f"(import {wanted} (func $more (param i32)))"
    assert wanted.replace('"', "").replace(" ", ".") in broken(tmp_path, layer, head=source)


def test_rules_with_a_memory_of_their_own_are_refused(tmp_path: Path, layer: Layer) -> None:
    with pytest.raises(Broken) as caught:
        loaded(tmp_path, layer, bytes(wat2wasm("(module (memory 2))")))
    assert "imports no memory" in caught.value.cause


def test_rules_may_bound_their_own_memory_more_tightly(tmp_path: Path, layer: Layer) -> None:
    assert isinstance(loaded(tmp_path, layer, wasm(pages="2 3")), LoadedRules)
    assert isinstance(loaded(tmp_path, layer, wasm(pages="2 300")), LoadedRules)
