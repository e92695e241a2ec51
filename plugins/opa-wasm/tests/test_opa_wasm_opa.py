"""Rules as OPA itself compiles them: the host speaks its ABI, and OPA's own evaluation is the judge."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist import Answer, Deny, Permit, Unavailable
from cambist.answer import answer
from cambist.question import probe
from cambist_opa_wasm.broken import Broken
from cambist_opa_wasm.calls import PublicCall, RawCall, fastest
from cambist_opa_wasm.instance import Bounds, Instance
from cambist_opa_wasm.loaded import LoadedRules
from cambist_opa_wasm.module import compiled
from cambist_opa_wasm.result import answered
from cambist_opa_wasm.rules import read
from cambist_opa_wasm.runtime import runtime
from cambist_opa_wasm.testing import ENTRYPOINT

pytestmark = pytest.mark.row("P-opa-wasm", real="opa")

BOUNDS = Bounds(fuel=20_000_000, memory=256, deadline=1.0)
REGO = """package cambist.exchange

default decision := {"allow": false, "reasons": ["no rule allows this"]}

decision := {"allow": true, "scope": scopes, "ttl": min([600, data.limits.ttl])} if {
	grant := data.grants[input.subject.issuer][input.subject.subject]
	every target in input.request.targets { target.id in grant.audiences }
	scopes := [s | some s in input.request.scope; s in grant.scopes]
}
"""
DATA = {
    "limits": {"ttl": 900},
    "grants": {"https://idp.example.test": {"w": {"audiences": ["https://api.example.test"], "scopes": ["read", "write"]}}},
}


@pytest.fixture(autouse=True)
def _time() -> Iterator[None]:
    with runtime():
        yield


def built(opa: Path, folder: Path, rego: str, data: Any = None, *more: str) -> Path:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "exchange.rego").write_text(rego)
    if data is not None:
        (source / "data.json").write_text(json.dumps(data))
    where = folder / "bundle.tar.gz"
    subprocess.run([opa, "build", "-t", "wasm", "-e", ENTRYPOINT, "-o", where, *more, "."], cwd=source, check=True, capture_output=True)
    return where


def instance(bundle: Path, bounds: Bounds = BOUNDS, entrypoint: str = ENTRYPOINT) -> Instance:
    rules = read(bundle, None)
    return Instance(compiled(rules.wasm), rules.data, entrypoint, bounds, fastest())


def asked(**changes: Any) -> bytes:
    request = {"targets": [{"id": "https://api.example.test"}], "scope": ["read", "admin"]}
    return json.dumps({"subject": {"issuer": "https://idp.example.test", "subject": "w"}, "request": request} | changes).encode()


@pytest.mark.parametrize("layer", [RawCall, PublicCall])
async def test_compiled_rules_permit_narrow_and_refuse(opa: Path, tmp_path: Path, layer: Any) -> None:
    rules = LoadedRules(read(built(opa, tmp_path, REGO, DATA), None), ENTRYPOINT, BOUNDS, layer)
    assert await rules.decide(asked()) == Permit(scope=frozenset({"read"}), ttl=600)
    stranger = asked(subject={"issuer": "https://idp.example.test", "subject": "v"})
    assert await rules.decide(stranger) == Deny(reasons=("no rule allows this",))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"subject": {"issuer": "https://other.example.test", "subject": "w"}},
        {"subject": {"issuer": "https://idp.example.test"}},
        {"subject": None},
        {"request": {"targets": [], "scope": []}},
        {"request": {"targets": [{"id": "https://api.example.test"}, {"id": "x"}], "scope": ["read"]}},
        {"request": {"targets": [{"id": "https://api.example.test"}], "scope": ["write", "read", "é😀\u0000"]}},
        {"request": "nothing"},
    ],
)
def test_opa_eval_answers_alike(opa: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    bundle, question = built(opa, tmp_path, REGO, DATA), asked(**changes)
    command = [str(opa), "eval", "--format", "json", "-d", ".", "-I", f"data.{ENTRYPOINT.replace('/', '.')}"]
    ran = subprocess.run(command, cwd=tmp_path / "source", input=question, check=True, capture_output=True)
    told: Answer = answer(json.loads(ran.stdout)["result"][0]["expressions"][0]["value"])
    assert answered(instance(bundle).evaluate(question)) == told


ECHO = f'package cambist.exchange\n\ndecision := {json.dumps({"allow": True})[:-1]}, "claims": {{"echo": input.subject.attributes}}}}\n'
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(-1e300, 1e300, allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def test_what_was_proved_reaches_the_rules_and_comes_back_unchanged(opa: Path, tmp_path: Path) -> None:
    """A document that OPA could not parse would be undefined to the rules: no echo then."""
    rules = instance(built(opa, tmp_path, ECHO))

    @settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), documents, max_size=4))
    def echoes(attributes: dict[str, Any]) -> None:
        got = answered(rules.evaluate(msgspec.json.encode({"subject": {"attributes": attributes}})))
        assert isinstance(got, Permit)
        assert got.claims["echo"] == attributes

    echoes()


def test_opa_forgives_a_malformed_question_which_is_why_only_our_encoder_writes_one(opa: Path, tmp_path: Path) -> None:
    careless = 'package cambist.exchange\n\ndefault decision := {"allow": false}\n\ndecision := {"allow": true} if not input.blocked\n'
    rules = instance(built(opa, tmp_path, careless))
    assert isinstance(answered(rules.evaluate(b'{"blocked":true}')), Deny)
    assert isinstance(answered(rules.evaluate(b'{"blocked":true')), Permit)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ('http.send({"method": "get", "url": "http://127.0.0.1/"}).status_code == 200', "http.send"),
        ("opa.runtime().env.HOME", "opa.runtime"),
        ("time.now_ns() > 0", "time.now_ns"),
        ('io.jwt.decode("x")', "io.jwt.decode"),
        ('rand.intn("x", 2) == 1', "rand.intn"),
    ],
)
def test_rules_that_call_out_or_read_what_was_not_asked_are_refused_by_name(opa: Path, tmp_path: Path, call: str, name: str) -> None:
    rego = f'package cambist.exchange\n\ndefault decision := {{"allow": false}}\n\ndecision := {{"allow": true}} if {call}\n'
    with pytest.raises(Broken) as caught:
        instance(built(opa, tmp_path, rego))
    assert f"not offered to rules: {name}" in caught.value.cause


def test_rules_that_never_end_run_out_of_fuel(opa: Path, tmp_path: Path) -> None:
    every_pair = "[1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i * j == input.x]"
    rego = f"package cambist.exchange\n\ndecision := count({every_pair})\n"
    rules = instance(built(opa, tmp_path, rego))
    with pytest.raises(Unavailable) as caught:
        rules.evaluate(b'{"x":7}')
    assert "out of fuel: it needs more than 20000000 units" in str(caught.value.facts["cause"])
    assert rules.spoilt


def test_rules_that_need_too_much_memory_abort(opa: Path, tmp_path: Path) -> None:
    long = 'concat("", [s | some i in numbers.range(1, input.n); s := "xxxxxxxxxxxxxxxxxxxx"])'
    rego = f"package cambist.exchange\n\ndecision := count({long})\n"
    rules = instance(built(opa, tmp_path, rego), Bounds(fuel=2_000_000_000, memory=64, deadline=5.0))
    with pytest.raises(Unavailable) as caught:
        rules.evaluate(b'{"n":2000000}')
    assert "opa_malloc: failed (they may have 64 pages of memory)" in str(caught.value.facts["cause"])


def test_rules_that_contradict_themselves_abort_with_the_place(opa: Path, tmp_path: Path) -> None:
    rego = 'package cambist.exchange\n\ndecision := {"allow": true} if input.a\n\ndecision := {"allow": false} if input.b\n'
    rules = instance(built(opa, tmp_path, rego))
    with pytest.raises(Unavailable) as caught:
        rules.evaluate(b'{"a":1,"b":1}')
    assert "exchange.rego:5:1: var assignment conflict" in str(caught.value.facts["cause"])


def test_a_question_nested_100000_deep_is_a_refusal_and_no_crash(opa: Path, tmp_path: Path) -> None:
    rules = instance(built(opa, tmp_path, ECHO))
    with pytest.raises(Unavailable):
        answered(rules.evaluate(b'{"subject":{"attributes":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"))


def test_memory_does_not_grow_with_the_number_of_questions(opa: Path, tmp_path: Path) -> None:
    rules = instance(built(opa, tmp_path, REGO, DATA))
    rules.evaluate(asked())
    size = rules._memory.lent.data_len(rules._store)
    assert len({rules.evaluate(asked()) for _ in range(3_000)}) == 1
    assert rules._memory.lent.data_len(rules._store) == size


def test_a_large_question_is_answered_and_a_small_one_after_it(opa: Path, tmp_path: Path) -> None:
    rules = instance(built(opa, tmp_path, REGO, DATA))
    small = rules.evaluate(asked())
    assert rules.evaluate(asked(more="x" * 300_000)) == small == rules.evaluate(asked())


async def test_data_of_the_operator_are_what_the_rules_see(opa: Path, tmp_path: Path) -> None:
    over = tmp_path / "more.json"
    over.write_text(
        json.dumps({"grants": {"https://idp.example.test": {"v": {"audiences": ["https://api.example.test"], "scopes": ["admin"]}}}})
    )
    rules = LoadedRules(read(built(opa, tmp_path, REGO, DATA), over), ENTRYPOINT, BOUNDS)
    assert await rules.decide(asked(subject={"issuer": "https://idp.example.test", "subject": "v"})) == Permit(
        scope=frozenset({"admin"}), ttl=600
    )
    assert await rules.decide(asked()) == Permit(scope=frozenset({"read"}), ttl=600)


def test_the_manifests_revision_is_named(opa: Path, tmp_path: Path) -> None:
    assert read(built(opa, tmp_path, REGO, DATA, "-r", "2027-01"), None).revision.startswith("2027-01+")


def test_another_entry_point_can_be_chosen(opa: Path, tmp_path: Path) -> None:
    bundle = built(opa, tmp_path, REGO + '\nother := {"allow": true}\n', DATA, "-e", "cambist/exchange/other")
    assert answered(instance(bundle, entrypoint="cambist/exchange/other").evaluate(probe())) == Permit()
    assert isinstance(answered(instance(bundle).evaluate(probe())), Deny)


def test_a_bundle_without_compiled_rules_is_refused_with_the_remedy(opa: Path, tmp_path: Path) -> None:
    with pytest.raises(Broken) as caught:
        read(built(opa, tmp_path, REGO, DATA, "-t", "rego"), None)
    assert "build it with `opa build -t wasm" in caught.value.cause


def test_a_signed_bundle_is_refused_because_nobody_would_verify_it(opa: Path, tmp_path: Path) -> None:
    built(opa, tmp_path, REGO, DATA)
    signed = tmp_path / "signed.tar.gz"
    signing = ["-b", "source", "--signing-alg", "HS256", "--signing-key", "secret"]
    command = [str(opa), "build", "-t", "wasm", "-e", ENTRYPOINT, *signing, "-o", str(signed)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(Broken) as caught:
        read(signed, None)
    assert "is signed, and signatures are not verified here" in caught.value.cause
