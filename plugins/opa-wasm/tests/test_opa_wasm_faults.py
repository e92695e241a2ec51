"""What a hostile or broken module can do, and that it ends in a refusal with a cause: the corpus's list of WebAssembly faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cambist import Permit, Unavailable
from cambist.answer import PolicyUnclear
from cambist.question import probe
from cambist_opa_wasm.calls import Layer, PublicCall, RawCall
from cambist_opa_wasm.instance import Bounds, Instance
from cambist_opa_wasm.loaded import LoadedRules
from cambist_opa_wasm.memory import MAX_TEXT
from cambist_opa_wasm.rules import read
from cambist_opa_wasm.runtime import runtime
from cambist_opa_wasm.testing import ALLOW, ANSWER, ENTRYPOINT, wasm

pytestmark = pytest.mark.row("P-opa-wasm")

BOUNDS = Bounds(fuel=1_000_000, memory=16, deadline=0.25)
BAD = b'{"bad":1}'
FOREVER = "(loop $again br $again) (unreachable)"
END = 2 * 65_536


def when_bad(fault: str) -> str:
    """An evaluation that does its fault for the question BAD only, so that the rules pass their trial."""
    bad = "(i32.eq (i32.load8_u offset=2 (local.get 3)) (i32.const 98))"
    return f"(if (result i32) {bad} (then {fault}) (else (i32.const {ANSWER})))"


def answering(text: str) -> dict[str, Any]:
    """Changes that make the question BAD be answered with the text."""
    data = "".join(f"\\{byte:02x}" for byte in text.encode())
    return {"opa_eval": when_bad("(i32.const 16384)"), "extra": f'(data (i32.const 16384) "{data}\\00")'}


@pytest.fixture(params=[RawCall, PublicCall])
def layer(request: pytest.FixtureRequest) -> Iterator[Layer]:
    with runtime():
        chosen: Layer = request.param
        yield chosen


def loaded(tmp_path: Path, layer: Layer, bounds: Bounds = BOUNDS, entrypoint: str = ENTRYPOINT, **changes: Any) -> LoadedRules:
    path = tmp_path / "rules.wasm"
    path.write_bytes(wasm(**changes))
    return LoadedRules(read(path, None), entrypoint, bounds, layer)


async def refused(rules: LoadedRules) -> str:
    with pytest.raises(Unavailable) as caught:
        await rules.decide(BAD)
    return str(caught.value.facts["cause"])


async def test_sound_rules_permit(tmp_path: Path, layer: Layer) -> None:
    rules = loaded(tmp_path, layer)
    answer = await rules.decide(BAD)
    assert (answer, answer.revision) == (Permit(claims=ALLOW["claims"]), rules.rules.revision)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        pytest.param("unreachable", "unreachable", id="trap"),
        pytest.param("(i32.load (i32.const -8))", "out of bounds memory access", id="trap-memory"),
        pytest.param("(i32.div_u (i32.const 1) (i32.const 0))", "divide by zero", id="trap-division"),
        pytest.param(f"(call $abort (i32.const {ANSWER})) (i32.const 1)", 'the rules aborted: [{"result"', id="abort"),
        pytest.param("(call $abort (i32.const -1)) (i32.const 1)", "unreachable", id="abort-silent"),
        pytest.param("(call $abort (i32.const 99999999)) (i32.const 1)", "they do not say why", id="abort-oob"),
        pytest.param("(call $builtin0 (i32.const 1) (i32.const 1))", "unreachable", id="builtin-undeclared"),
        pytest.param(FOREVER, "out of fuel: it needs more than 1000000 units", id="loop"),
        pytest.param("(call $println (i32.const 0)) " * 10 + FOREVER, "out of fuel", id="loop-println"),
        pytest.param("(i32.const 0)", "lies at 0,", id="null-addr"),
        pytest.param(f"(i32.const {END})", "outside its memory", id="oob"),
        pytest.param(f"(i32.const {END - 1})", "not one JSON value", id="empty-at-the-last-byte"),
        pytest.param("(i32.const -1)", "lies at 4294967295,", id="oob-negative"),
        pytest.param("(i32.const -2147483648)", "outside its memory", id="oob-sign"),
        pytest.param(f"(i32.store8 (i32.const {END - 1}) (i32.const 65)) (i32.const {END - 1})", "does not end", id="not-terminated"),
    ],
)
async def test_a_faulty_evaluation_is_refused_with_its_cause_and_the_next_one_works(
    tmp_path: Path, layer: Layer, fault: str, cause: str
) -> None:
    rules = loaded(tmp_path, layer, opa_eval=when_bad(fault))
    for _ in range(3):
        assert cause in await refused(rules)
        assert await rules.decide(probe()) == Permit(claims=ALLOW["claims"])


async def test_what_a_stopped_evaluation_left_behind_is_gone(tmp_path: Path, layer: Layer) -> None:
    left = "(global $left (mut i32) (i32.const 0))"
    rules = loaded(
        tmp_path,
        layer,
        extra=left,
        opa_eval=f"(if (global.get $left) (then unreachable)) {when_bad('(global.set $left (i32.const 1)) unreachable')}",
    )
    await refused(rules)
    assert await rules.decide(probe()) == Permit(claims=ALLOW["claims"])


async def test_many_refused_at_once_share_one_new_instance(tmp_path: Path, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = loaded(tmp_path, layer, opa_eval=when_bad("unreachable"))
    fresh, made = rules._fresh, list[Instance]()

    def counted() -> Instance:
        made.append(fresh())
        return made[-1]

    monkeypatch.setattr(rules, "_fresh", counted)
    await refused(rules)
    answers = await asyncio.gather(*(rules.decide(probe()) for _ in range(20)))
    assert answers == [Permit(claims=ALLOW["claims"])] * 20
    assert len(made) == 1


async def test_rules_that_recurse_without_end_are_stopped(tmp_path: Path, layer: Layer) -> None:
    deep = "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))"
    bounds = Bounds(fuel=1_000_000_000, memory=16, deadline=5)
    rules = loaded(tmp_path, layer, bounds, opa_eval=when_bad("(call $deep (i32.const 1))"), extra=deep)
    assert "call stack exhausted" in await refused(rules)
    assert isinstance(await rules.decide(probe()), Permit)


async def test_rules_that_ask_for_ever_more_memory_get_no_more_than_is_allowed(tmp_path: Path, layer: Layer) -> None:
    grow = (
        f"(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (call $abort (i32.const {ANSWER})) unreachable"
    )
    rules = loaded(tmp_path, layer, opa_eval=when_bad(grow))
    assert "(they may have 16 pages of memory)" in await refused(rules)
    assert isinstance(await rules.decide(probe()), Permit)


async def test_time_ends_what_fuel_does_not(tmp_path: Path, layer: Layer) -> None:
    """memory.grow costs one unit, and forty times the time of another instruction."""
    bounds = Bounds(fuel=10_000_000_000, memory=16, deadline=0.1)
    rules = loaded(tmp_path, layer, bounds, opa_eval=when_bad(f"(loop $a (drop (memory.grow (i32.const 0))) (br $a)) {FOREVER}"))
    began = time.monotonic()
    assert "out of time: it takes longer than 0.1 seconds" in await refused(rules)
    assert 0.09 <= time.monotonic() - began < 1.5
    assert isinstance(await rules.decide(probe()), Permit)


async def test_an_answer_of_the_largest_length_is_read_and_a_longer_one_is_not(tmp_path: Path, layer: Layer) -> None:
    fits = answering('[{"result":{"allow":true,"claims":{"n":"' + "x" * (MAX_TEXT - 100) + '"}}}]')
    assert isinstance(await loaded(tmp_path, layer, pages=8, heap=6 * 65_536, **fits).decide(BAD), Permit)
    long = answering('[{"result":{"allow":true,"claims":{"n":"' + "x" * MAX_TEXT + '"}}}]')
    assert "longer than" in await refused(loaded(tmp_path, layer, pages=8, heap=6 * 65_536, **long))


async def test_a_question_that_does_not_fit_into_memory_is_refused_and_the_instance_stays(tmp_path: Path, layer: Layer) -> None:
    rules = loaded(tmp_path, layer)
    with pytest.raises(Unavailable) as caught:
        await rules.decide(b'{"bad":"' + b"x" * (16 * 65_536) + b'"}')
    assert "do not fit into its memory" in str(caught.value.facts["cause"])
    assert isinstance(await rules.decide(b'{"bad":"' + b"x" * (8 * 65_536) + b'"}'), Permit)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        pytest.param("[]", "undefined", id="empty-set"),
        pytest.param('[{"result":{"allow":true}},{"result":{"allow":true}}]', "2 results", id="two-results"),
        pytest.param('{"result":{"allow":true}}', "not a list", id="no-list"),
        pytest.param("[true]", "not {result", id="no-object"),
        pytest.param('[{"result":{"allow":true},"more":1}]', "not {result", id="more-members"),
        pytest.param('[{"x":{"allow":true}}]', "not {result", id="other-member"),
        pytest.param('[{"result":{"allow":false},"result":{"allow":true}}]', "repeated", id="result-twice"),
        pytest.param('[{"result":{"allow":false,"allow":true}}]', "repeated", id="allow-twice"),
        pytest.param('[{"result":{"allow":true}}] []', "not one JSON value", id="two-documents"),
        pytest.param('[{"result":{"allow":true,"ttl":NaN}}]', "NaN is not JSON", id="nan"),
        pytest.param('[{"result":{"allow":true', "not one JSON value", id="cut-off"),
        pytest.param("", "not one JSON value", id="empty"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        pytest.param('[{"result":{"allow":"true"}}]', "allow", id="text"),
        pytest.param('[{"result":{"allow":1}}]', "allow", id="one"),
        pytest.param('[{"result":true}]', "Expected `object`", id="bare-true"),
        pytest.param('[{"result":null}]', "Expected `object`", id="null"),
        pytest.param('[{"result":{}}]', "allow", id="no-allow"),
        pytest.param('[{"result":{"allow":true,"unless":"x"}}]', "unless", id="unknown-bound"),
        pytest.param('[{"result":{"allow":true,"ttl":-1}}]', "ttl", id="negative-ttl"),
    ],
)
async def test_only_one_clear_result_is_an_answer(tmp_path: Path, layer: Layer, text: str, cause: str) -> None:
    rules = loaded(tmp_path, layer, pages=4, heap=3 * 65_536, **answering(text))
    with pytest.raises(PolicyUnclear) as caught:
        await rules.decide(BAD)
    assert cause in str(caught.value.facts["cause"])
    assert isinstance(await rules.decide(probe()), Permit)
