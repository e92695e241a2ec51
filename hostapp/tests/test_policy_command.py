"""`cambist policy`, as a person types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cambist_hostapp.policy import ENTRYPOINT, policy

POLICIES = Path(__file__).parents[2] / "policies"
ENDLESS = """package cambist.exchange

decision := {"allow": count(sums) > 0}

sums := [x | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); x := a + b]
"""


def run(*arguments: str | Path, text: str | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(policy, [str(argument) for argument in arguments], input=text, env=env, catch_exceptions=False)


def question(case: str) -> str:
    return json.dumps(json.loads((POLICIES / "corpus" / f"{case}.json").read_text("utf-8"))["input"])


def brought(case: str, folder: Path) -> Result:
    """Ask a case of the corpus with its own data."""
    found = json.loads((POLICIES / "corpus" / f"{case}.json").read_text("utf-8"))
    (folder / "data.json").write_text(json.dumps(found["data"]), "utf-8")
    return run("decide", "--input", "-", "--data", folder / "data.json", text=json.dumps(found["input"]))


def rules(folder: Path, text: str) -> Path:
    (folder / "rules.rego").write_text(text, "utf-8")
    return folder


PERMITTED = "example-agents-the-planner-acts-for-alice"
AGENTS = POLICIES / "examples" / "agents.json"


@pytest.fixture
def no_opa(tmp_path: Path) -> dict[str, str]:
    """An environment in which no OPA is found."""
    return {"PATH": str(tmp_path), "CAMBIST_TOOLS": str(tmp_path)}


def test_a_question_is_answered_without_opa(no_opa: dict[str, str]) -> None:
    found = run("decide", "--input", "-", "--data", AGENTS, text=question(PERMITTED), env=no_opa)
    assert found.exit_code == 0, found.output
    assert found.stdout == "allowed\n  scope     calendar:read\n  lifetime  at most 60 seconds\n"


def test_the_default_rules_alone_deny_with_exit_code_1() -> None:
    found = run("decide", "--input", "-", text=question(PERMITTED))
    assert found.exit_code == 1
    assert found.stdout.splitlines()[0] == "denied"
    assert "  reason    there are no rules for this zone" in found.stdout.splitlines()


def test_a_denied_target_is_named_and_what_the_caller_is_told_is_marked() -> None:
    found = run(
        "decide", "--input", "-", "--data", POLICIES / "examples" / "ci.json", text=question("example-ci-another-branch-does-not-deploy")
    )
    assert found.exit_code == 1
    assert found.stdout == "denied\n  target    https://deploy.example.com\n  reason    no grant for this target (the caller is told)\n"


def test_a_private_reason_is_not_marked(tmp_path: Path) -> None:
    assert brought("a-blocked-subject-is-refused-with-a-private-reason", tmp_path).stdout == "denied\n  reason    under investigation\n"


def test_claims_and_shared_targets_are_told(tmp_path: Path) -> None:
    lines = brought("targets-that-may-share-a-token-get-what-all-of-them-give", tmp_path).stdout.splitlines()
    assert {"  claim     tier = 1", "  claim     disk = 'b'", "  targets   may share the token"} <= set(lines)


@pytest.mark.parametrize(("data", "code"), [([], 1), (["--data", AGENTS], 0)])
def test_as_json_the_answer_is_as_the_rules_gave_it(data: list[str | Path], code: int) -> None:
    found = run("decide", "--input", "-", "--json", *data, text=question(PERMITTED))
    assert found.exit_code == code
    assert json.loads(found.stdout)["allow"] is (code == 0)


@pytest.mark.parametrize(("wrong", "member"), [({"version": 2}, "$.version"), ({"now": "soon"}, "$.now"), ({"chain": None}, "$.chain")])
def test_a_document_that_is_no_question_is_said_with_the_member_that_is_wrong(tmp_path: Path, wrong: dict[str, Any], member: str) -> None:
    (tmp_path / "q.json").write_text(json.dumps({**json.loads(question(PERMITTED)), **wrong}), "utf-8")
    found = run("decide", "--input", tmp_path / "q.json")
    assert found.exit_code == 3
    assert found.stdout == ""
    assert found.stderr.startswith(f"{tmp_path}/q.json is no question: ")
    assert f"`{member}`" in found.stderr


@pytest.mark.parametrize("text", ["", "{", "\ufeff{}", '{"version": 1, "version": 1}', '{"now": NaN}', "[" * 20 + "]" * 20])
def test_a_document_that_is_not_strict_json_is_refused_in_one_line(text: str) -> None:
    found = run("decide", "--input", "-", text=text)
    assert found.exit_code == 3
    assert len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith("standard input: ")


@pytest.mark.parametrize("content", [b"", b"no bundle", b"\x1f\x8b torn", b"\0asm torn"])
def test_a_broken_bundle_is_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(content)
    found = run("decide", "--input", "-", "--bundle", tmp_path / "b.tar.gz", text=question(PERMITTED))
    assert found.exit_code == 3
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith("no answer from the rules: ")


def test_data_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("[]", "utf-8")
    found = run("decide", "--input", "-", "--data", tmp_path / "data.json", text=question(PERMITTED))
    assert found.exit_code == 3
    assert f"{tmp_path}/data.json" in found.stderr
    assert run("decide", "--input", "-", "--data", tmp_path / "none.json", text=question(PERMITTED)).exit_code == 2


def test_rules_that_lack_the_entry_point_are_said() -> None:
    found = run("decide", "--input", "-", "--entrypoint", "mine/decision", text=question(PERMITTED))
    assert "has no entry point mine/decision" in found.stderr


def test_an_answer_outside_of_the_contract_is_no_answer(opa: Path, tmp_path: Path) -> None:
    rules(tmp_path, 'package cambist.exchange\n\ndecision := {"allow": true, "scopes": ["x"]}\n')
    built = run("build", tmp_path)
    assert built.exit_code == 1
    assert "cannot be put to work" in built.stderr
    assert "scopes" in built.stderr


@pytest.mark.parametrize("command", ["test", "build"])
def test_without_opa_one_sentence_says_how_to_get_it(command: str, no_opa: dict[str, str]) -> None:
    found = run(command, POLICIES, env=no_opa)
    assert found.exit_code == 3
    assert len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith("OPA is absent")
    assert "make tools" in found.stderr


def test_an_opa_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "opa").write_bytes(b"\x7fELF no program")
    (tmp_path / "bin" / "opa").chmod(0o700)
    found = run("test", POLICIES, env={"CAMBIST_TOOLS": str(tmp_path)})
    assert (found.exit_code, found.stderr[:23]) == (3, "OPA cannot be started: ")


def test_a_folder_that_is_not_there_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert run("test", tmp_path / "none").exit_code == 2
    assert run("decide").exit_code == 2


def test_the_default_rules_pass_their_tests(opa: Path) -> None:
    found = run("test", POLICIES)
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("PASS: ")


def test_a_failing_test_is_shown_with_exit_code_1(opa: Path, tmp_path: Path) -> None:
    rules(tmp_path, "package mine\n\nallow := false\n\ntest_it_allows if allow\n")
    found = run("test", tmp_path)
    assert found.exit_code == 1
    assert "test_it_allows: FAIL" in found.stdout


def test_a_member_that_no_question_has_is_found(opa: Path, tmp_path: Path) -> None:
    shutil.copy(POLICIES / "input.schema.json", tmp_path)
    rules(tmp_path, "package mine\n\nallow if input.client.aplication\n")
    found = run("test", tmp_path)
    assert found.exit_code == 1
    assert "undefined ref: input.client.aplication" in found.stderr


def test_the_same_sources_are_the_same_bytes_as_by_the_script(opa: Path, tmp_path: Path) -> None:
    found = run("build", POLICIES, "--output", tmp_path / "mine.tar.gz")
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith(f"built: {tmp_path}/mine.tar.gz (")
    subprocess.run([POLICIES / "build.sh", tmp_path / "theirs.tar.gz"], env={**os.environ, "OPA": str(opa)}, check=True, timeout=60)
    assert (tmp_path / "mine.tar.gz").read_bytes() == (tmp_path / "theirs.tar.gz").read_bytes()


def test_the_bundle_lies_beside_its_sources_unless_told_otherwise(opa: Path, tmp_path: Path) -> None:
    rules(tmp_path, 'package mine\n\ndecision := {"allow": false}\n')
    found = run("build", tmp_path, "--entrypoint", "mine/decision")
    assert found.exit_code == 0, found.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.tar.gz", "rules.rego"]
    denied = run(
        "decide", "--input", "-", "--bundle", tmp_path / "bundle.tar.gz", "--entrypoint", "mine/decision", text=question(PERMITTED)
    )
    assert (denied.exit_code, denied.stdout) == (1, "denied\n")


HEAD = "package cambist.exchange\n\ndecision := "
UNFIT = {
    HEAD + "{": "rego_parse_error",
    "package mine\n\nallow := true\n": ENTRYPOINT,
    HEAD + '{"allow": true} if http.send({"method": "get", "url": "http://x.invalid"})\n': "http.send",
    HEAD + "true\n": "cannot be put to work",
}


@pytest.mark.parametrize(("text", "said"), UNFIT.items())
def test_what_cannot_be_put_to_work_replaces_nothing(text: str, said: str, opa: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.tar.gz").write_bytes(b"the good one")
    found = run("build", rules(tmp_path, text))
    assert found.exit_code == 1
    assert said in found.stderr
    assert (tmp_path / "bundle.tar.gz").read_bytes() == b"the good one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.tar.gz", "rules.rego"]


def test_rules_that_never_end_are_stopped(opa: Path, tmp_path: Path) -> None:
    found = run("build", rules(tmp_path, ENDLESS))
    assert found.exit_code == 1
    assert "cannot be put to work: failed on a question about nobody: out of" in found.stderr


def test_rules_that_answer_only_some_questions_are_said_to_have_no_answer_to_others(opa: Path, tmp_path: Path) -> None:
    text = 'package cambist.exchange\n\ndecision := {"allow": false} if input.subject.subject == "nobody"\n'
    built = run("build", rules(tmp_path, text))
    assert built.exit_code == 0, built.output
    found = run("decide", "--input", "-", "--bundle", tmp_path / "bundle.tar.gz", text=question(PERMITTED))
    assert found.exit_code == 3
    assert found.stderr.startswith("no answer from the rules: undefined")


def test_a_bundle_that_cannot_be_put_in_its_place_is_said(opa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    found = run("build", POLICIES, "--output", tmp_path / "mine.tar.gz")
    assert found.exit_code == 3
    assert "No space left on device" in found.stderr
    assert list(tmp_path.iterdir()) == []
