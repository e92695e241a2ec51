"""The decision corpus: one case a file, and every backend must answer each of them alike."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from habits.opa import OpaServer, opa_server

from cambist.answer import answer
from cambist.egress import Egress, EgressSettings
from cambist.policy import Answer, Deny, Permit
from cambist.question import Question

POLICIES = Path(__file__).parents[2] / "policies"
FILES = sorted((POLICIES / "corpus").glob("*.json"))
ENTRYPOINT = "cambist/exchange/decision"
SOURCES = [path for path in sorted((POLICIES / "cambist").glob("*.rego")) if not path.stem.endswith("_test")]

every_case = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@pytest.fixture
def case(file: Path, tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """A case, and the file of its data."""
    found = json.loads(file.read_text("utf-8"))
    if "example" in found:
        return found, POLICIES / "examples" / f"{found['example']}.json"
    (tmp_path / "data.json").write_text(json.dumps(found["data"]), "utf-8")
    return found, tmp_path / "data.json"


@pytest.fixture(scope="module")
def _engine() -> Iterator[object]:
    """The engine as a service runs it: time passes, so that no rule runs for ever, and the module is compiled once."""
    from cambist_opa_wasm.module import compiled
    from cambist_opa_wasm.rules import read
    from cambist_opa_wasm.runtime import runtime

    with runtime():
        yield compiled(read(POLICIES / "bundle.tar.gz", None).wasm)


@pytest.fixture(scope="module")
def opa_with_rules(opa: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpaServer]:
    """An OPA server with the sources; each case brings its data."""
    with opa_server(opa, tmp_path_factory.mktemp("opa") / "log", *SOURCES, POLICIES / "data.json") as server:
        yield server


async def by_rest(server: OpaServer, question: dict[str, Any], data: Path) -> Answer:
    """What an OPA server answers, through the plugin."""
    from cambist_opa_rest.policy import OpaRestPolicy
    from cambist_opa_rest.settings import OpaRestSettings

    server.put("cambist/zones", json.loads(data.read_text("utf-8"))["cambist"]["zones"])
    async with Egress(EgressSettings()) as http:
        return await OpaRestPolicy(OpaRestSettings(url=server.url, deadline=5), http).asked(json.dumps(question).encode())


def by_wasm(question: dict[str, Any], data: Path) -> Any:
    """What the committed bundle answers, through the plugin's engine."""
    from cambist_opa_wasm.calls import fastest
    from cambist_opa_wasm.instance import Bounds, Instance
    from cambist_opa_wasm.module import compiled
    from cambist_opa_wasm.rules import read

    rules = read(POLICIES / "bundle.tar.gz", data)
    bounds = Bounds(fuel=20_000_000, deadline=1.0, memory=256)
    [result] = json.loads(Instance(compiled(rules.wasm), rules.data, ENTRYPOINT, bounds, fastest()).evaluate(json.dumps(question).encode()))
    return result["result"]


def by_opa(opa: Path, question: dict[str, Any], data: Path) -> Any:
    """What OPA itself answers with the sources."""
    loaded = [word for path in (*SOURCES, data) for word in ("--data", str(path))]
    query = f"data.{ENTRYPOINT.replace('/', '.')}"
    done = subprocess.run(
        [opa, "eval", "--format", "json", "--stdin-input", *loaded, query],
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)["result"][0]["expressions"][0]["value"]


@every_case
@pytest.mark.row("P-opa-wasm", real="opa")
@pytest.mark.row("P-opa-rest", real="opa")
@pytest.mark.row("J-policy", real="opa")
@pytest.mark.usefixtures("_engine")
async def test_opa_and_both_backends_answer_alike(case: tuple[dict[str, Any], Path], opa: Path, opa_with_rules: OpaServer) -> None:
    found, data = case
    assert by_opa(opa, found["input"], data) == by_wasm(found["input"], data) == found["answer"]
    assert await by_rest(opa_with_rules, found["input"], data) == answer(found["answer"])


@every_case
@pytest.mark.usefixtures("_engine")
def test_the_compiled_bundle_answers_as_the_corpus_says(case: tuple[dict[str, Any], Path]) -> None:
    found, data = case
    assert by_wasm(found["input"], data) == found["answer"]


@every_case
def test_question_and_answer_of_a_case_have_the_shape_of_the_contract(file: Path) -> None:
    found = json.loads(file.read_text("utf-8"))
    for part, schema in (("input", "input.schema.json"), ("answer", "answer.schema.json")):
        jsonschema.validate(found[part], json.loads((POLICIES / schema).read_text("utf-8")), jsonschema.Draft202012Validator)
    msgspec.json.decode(json.dumps(found["input"]), type=Question)
    understood = answer(found["answer"])
    assert isinstance(understood, Permit) is found["answer"]["allow"]
    assert isinstance(understood, Permit) or understood.reasons, "a denial without a reason"


@every_case
def test_a_denied_target_is_named_to_core(file: Path) -> None:
    found = json.loads(file.read_text("utf-8"))
    understood = answer(found["answer"])
    if isinstance(understood, Deny):
        assert set(understood.targets) == set(found["answer"].get("targets", {}))
        assert set(understood.targets) <= {target["id"] for target in found["input"]["request"]["targets"]}


def test_the_corpus_has_cases_enough_and_a_file_is_named_as_its_case() -> None:
    assert len(FILES) >= 80
    for file in FILES:
        name = json.loads(file.read_text("utf-8"))["name"]
        assert "".join(c if c.isalnum() else "-" for c in name.lower()).replace("--", "-") == file.stem


def test_every_example_is_used_by_the_corpus() -> None:
    used = {json.loads(file.read_text("utf-8")).get("example") for file in FILES}
    assert used - {None} == {path.stem for path in (POLICIES / "examples").glob("*.json")}


def test_every_reason_of_the_rules_is_in_the_corpus() -> None:
    """`said("…")` in the sources; what only a broken question can cause is proved by the Rego tests."""
    only_broken = {"this version of the question is not known", "no target was asked for"}
    sources = "".join(path.read_text("utf-8") for path in SOURCES)
    reasons = {part.split('"')[0] for part in sources.split('said("')[1:]}
    corpus = "".join(file.read_text("utf-8") for file in FILES)
    assert len(reasons) > 8
    assert {reason for reason in reasons if json.dumps(reason)[1:-1] not in corpus} == only_broken


@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize("member", ["version", "zone", "subject", "actor", "chain", "client", "request"])
def test_a_question_that_lacks_a_member_is_refused_by_the_compiled_bundle(member: str, tmp_path: Path) -> None:
    found = json.loads((POLICIES / "corpus" / "a-granted-target-is-permitted-with-the-scopes-of-the-grant.json").read_text("utf-8"))
    (tmp_path / "data.json").write_text(json.dumps(found["data"]), "utf-8")
    assert by_wasm(found["input"], tmp_path / "data.json")["allow"] is True
    del found["input"][member]
    assert by_wasm(found["input"], tmp_path / "data.json")["allow"] is False
