"""The two ways to call into a module: both say the same, and the fast one steps back where it is not at home."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import wasmtime
from wasmtime import Func, FuncType, Global, Linker, Module, Store, ValType

from cambist_opa_wasm import calls
from cambist_opa_wasm.calls import Call, Layer, PublicCall, RawCall, Stopped, fastest, raw_bindings
from cambist_opa_wasm.imports import offered
from cambist_opa_wasm.runtime import BEAT, Runtime, beats, runtime

MODULE = """(module
  (func (export "mix") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (i32.mul (local.get 0) (i32.const 1000)) (i32.add (i32.mul (local.get 3) (i32.const 10)) (local.get 6))))
  (func (export "same") (param i32) (result i32) (local.get 0))
  (func (export "seven") (result i32) (i32.const 7))
  (func (export "trap") (param i32) (result i32) unreachable)
  (func (export "loop") (param i32) (result i32) (loop $l (br $l)) unreachable))"""


@pytest.fixture(params=[RawCall, PublicCall])
def layer(request: pytest.FixtureRequest) -> Iterator[Layer]:
    with runtime():
        chosen: Layer = request.param
        yield chosen


def function(layer: Layer, name: str, arity: int, fuel: int = 1_000_000, seconds: float = 1.0) -> Call:
    store = Store(runtime().engine)
    store.set_fuel(fuel)
    store.set_epoch_deadline(beats(seconds))
    found = wasmtime.Instance(store, Module(runtime().engine, MODULE), []).exports(store)[name]
    assert isinstance(found, Func)
    return layer(store, found, arity)


def test_the_fast_way_is_at_home_in_the_pinned_wasmtime() -> None:
    assert raw_bindings() is not None
    assert fastest() is RawCall


@pytest.mark.parametrize("name", ["_wasmtime_func_call_unchecked", "wasmtime_val_raw_t", "wasm_trap_t"])
def test_without_one_of_the_private_names_the_public_way_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(importlib.import_module("wasmtime._bindings"), name)
    assert fastest() is PublicCall


def test_without_the_bindings_the_public_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(calls, "import_module", missing)
    assert fastest() is PublicCall
    with pytest.raises(LookupError):
        function(RawCall, "seven", 0)


def test_a_value_of_another_size_turns_the_fast_way_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_VALUE", 8)
    assert fastest() is PublicCall


def test_arguments_arrive_in_order_and_the_result_comes_back(layer: Layer) -> None:
    mix = function(layer, "mix", 7)
    assert [mix(n, 9, 9, n + 1, 9, 9, n + 2) for n in (1, 2)] == [1023, 2034]


def test_a_function_without_parameters_has_a_result(layer: Layer) -> None:
    assert function(layer, "seven", 0)() == 7


@pytest.mark.parametrize("address", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_addresses_have_no_sign(layer: Layer, address: int) -> None:
    assert function(layer, "same", 1)(address) == address


@pytest.mark.parametrize(("name", "kind", "text"), [("trap", "UNREACHABLE", "unreachable"), ("loop", "OUT_OF_FUEL", "fuel")])
def test_why_it_stopped_has_a_name(layer: Layer, name: str, kind: str, text: str) -> None:
    with pytest.raises(Stopped, match=text) as caught:
        function(layer, name, 1)(1)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


def test_time_stops_a_call_that_has_fuel(layer: Layer) -> None:
    with pytest.raises(Stopped) as caught:
        function(layer, "loop", 1, fuel=10_000_000_000, seconds=BEAT)(1)
    assert caught.value.kind == "INTERRUPT"


def test_time_passes_only_while_somebody_holds_the_runtime() -> None:
    ours = Runtime()
    with ours as first, ours:
        assert first._holders == 2
        beating = ours._still
    assert beating.is_set()
    with ours:
        assert not ours._still.is_set()


def test_an_error_that_another_thread_left_behind_stops_the_call_and_goes_no_further(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """wasmtime-py keeps a callback's exception in a global, and raises it at whoever traps next."""
    monkeypatch.setattr(importlib.import_module("wasmtime._func"), "LAST_EXCEPTION", KeyError("of another thread"))
    with pytest.raises(Stopped):
        function(layer, "trap", 1)(1)


def test_nothing_of_python_is_called_from_inside() -> None:
    """Else a module could spend our time without spending fuel, and an abort could leave its exception to others."""
    store = Store(runtime().engine)
    store.set_fuel(1000)
    store.set_epoch_deadline(2)
    exports = wasmtime.Instance(store, offered(), []).exports(store)
    assert not offered().imports
    said, abort = exports["said"], exports["opa_abort"]
    assert isinstance(said, Global)
    assert isinstance(abort, Func)
    with pytest.raises(wasmtime.Trap):
        abort(store, 42)
    assert said.value(store) == 42
    assert importlib.import_module("wasmtime._func").LAST_EXCEPTION is None


def test_the_exception_that_python_would_leave_behind_is_real() -> None:
    """The reason for the test above: a callback's exception surfaces at an innocent trap. If this fails, wasmtime-py was mended."""

    def callback() -> None:
        raise KeyError("mine")

    store = Store(runtime().engine)
    store.set_fuel(10_000)
    store.set_epoch_deadline(20)
    linker = Linker(runtime().engine)
    linker.define(store, "env", "f", Func(store, FuncType([], []), callback))
    text = '(module (import "env" "f" (func $f)) (func (export "go") (result i32) (call $f) (i32.const 1)))'
    go = linker.instantiate(store, Module(runtime().engine, text)).exports(store)["go"]
    assert isinstance(go, Func)
    assert ValType.i32() == go.type(store).results[0]
    with pytest.raises(Stopped):
        RawCall(store, go, 0)()
    module = importlib.import_module("wasmtime._func")
    left, module.LAST_EXCEPTION = module.LAST_EXCEPTION, None  # type: ignore[attr-defined]  # a global that has no type
    assert isinstance(left, KeyError)
