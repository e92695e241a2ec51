"""What policies/README.md shows is true."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cambist.answer import answer
from cambist.policy import Deny, Permit
from cambist_hostapp.policy import policy
from cambist_opa_wasm.settings import OpaWasmSettings

POLICIES = Path(__file__).parents[2] / "policies"
PAGE = (POLICIES / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


QUESTION, PERMITTED, DENIED, DATA = (json.loads(block) for block in blocks("json"))


def decided(folder: Path, question: Any, data: Any, *options: str) -> tuple[int, str]:
    (folder / "question.json").write_text(json.dumps(question), "utf-8")
    (folder / "data.json").write_text(json.dumps(data), "utf-8")
    arguments = ["decide", "--input", str(folder / "question.json"), "--data", str(folder / "data.json"), *options]
    done = CliRunner().invoke(policy, arguments, catch_exceptions=False)
    return done.exit_code, done.stdout or done.output


def changed(**members: Any) -> dict[str, Any]:
    """The question of the page, with other targets or other members."""
    target = members.pop("target", "https://orders.example.com")
    return {**QUESTION, "request": {**QUESTION["request"], "targets": [{"id": target, "declared": False}]}, **members}


def zone(**members: Any) -> dict[str, Any]:
    return {"cambist": {"zones": {"default": {**DATA["cambist"]["zones"]["default"], **members}}}}


def test_question_and_answers_have_the_shape_of_the_contract() -> None:
    jsonschema.validate(QUESTION, json.loads((POLICIES / "input.schema.json").read_text("utf-8")), jsonschema.Draft202012Validator)
    assert isinstance(answer(PERMITTED), Permit)
    assert isinstance(answer(DENIED), Deny)


def test_the_table_of_the_answer_names_every_member() -> None:
    table = PAGE.split("## The answer")[1].split("## The data")[0]
    shown = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(shown) == set(json.loads((POLICIES / "answer.schema.json").read_text("utf-8"))["properties"])


def test_the_data_permit_the_question_as_shown(tmp_path: Path) -> None:
    code, told = decided(tmp_path, QUESTION, DATA, "--json")
    assert (code, json.loads(told)) == (0, PERMITTED)


def test_the_data_refuse_another_target_as_shown(tmp_path: Path) -> None:
    # The entry of the application names one target; without it the grants alone decide.
    code, told = decided(
        tmp_path, changed(target="https://billing.example.com"), zone(clients={"*": {"https://login.example.com": {"*": {}}}}), "--json"
    )
    assert (code, json.loads(told)) == (1, DENIED)


def test_who_is_blocked_is_told_why(tmp_path: Path) -> None:
    mallory = {**QUESTION["subject"], "subject": "mallory", "id": QUESTION["subject"]["id"].replace("alice", "mallory")}
    code, told = decided(tmp_path, changed(subject=mallory), DATA, "--json")
    assert (code, json.loads(told)) == (1, {"allow": False, "reasons": [{"reason": "this account is closed", "public": True}]})


def test_another_application_is_told_that_it_may_not_ask(tmp_path: Path) -> None:
    code, told = decided(tmp_path, changed(client={**QUESTION["client"], "id": "reports"}), DATA)
    assert (code, told) == (1, "denied\n  reason    this application may not ask for this subject (the caller is told)\n")


def test_the_actor_of_the_data_may_act_and_its_rule_narrows(tmp_path: Path) -> None:
    agent = {"id": "wimse://sts.example.com/x", "issuer": "https://agents.example.com", "subject": "planner"}
    code, told = decided(tmp_path, changed(actor=agent), DATA, "--json")
    assert (code, json.loads(told)["ttl"]) == (0, 60)


def test_the_table_of_the_data_names_every_member() -> None:
    table = PAGE.split("## The data")[1].split("## Ask")[0]
    shown = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    [known] = re.findall(r'"zone": \{(.*?)\}', (POLICIES / "cambist" / "soundness.rego").read_text("utf-8"))
    assert shown == set(re.findall(r'"(\w+)"', known)) == set(DATA["cambist"]["zones"]["default"])


def test_the_settings_are_settings() -> None:
    [block] = blocks("toml")
    OpaWasmSettings.model_validate(tomllib.loads(block)["plugins"]["opa-wasm"])


def test_the_commands_go_as_shown(opa: Path, tmp_path: Path) -> None:
    shutil.copytree(POLICIES, tmp_path / "policies")
    (tmp_path / "question.json").write_text(json.dumps(QUESTION), "utf-8")
    [script], [printed] = blocks("sh"), blocks("text")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{opa.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{printed}PASS: ")
    assert done.stdout.splitlines()[-1].startswith("built: policies/bundle.tar.gz (")


def test_rules_of_your_own_decide_as_shown(opa: Path, tmp_path: Path) -> None:
    own, _ = blocks("rego")
    (tmp_path / "rules.rego").write_text(own, "utf-8")
    built = CliRunner().invoke(policy, ["build", str(tmp_path)], catch_exceptions=False)
    assert built.exit_code == 0, built.output
    grants = {"grants": {"https://login.example.com": {"alice": {"https://orders.example.com": {"scopes": ["orders:read"]}}}}}
    bundle = ("--bundle", str(tmp_path / "bundle.tar.gz"))
    itself = changed(client={"id": QUESTION["subject"]["id"], "method": "subject", "application": False})
    assert decided(tmp_path, itself, grants, *bundle) == (0, "allowed\n  scope     orders:read\n  lifetime  at most 60 seconds\n")
    assert decided(tmp_path, QUESTION, grants, *bundle) == (1, "denied\n  reason    no rule allows this\n")


def test_a_call_inside_a_not_is_the_pitfall_that_the_page_says(opa: Path, tmp_path: Path) -> None:
    _, pitfall = blocks("rego")
    (tmp_path / "pitfall.rego").write_text(pitfall, "utf-8")
    command = [str(opa), "eval", "--data", str(tmp_path / "pitfall.rego"), "--stdin-input", "data.pitfall"]
    done = subprocess.run(command, input=b"{}", capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)["result"][0]["expressions"][0]["value"] == {"right": True}


def test_an_optimised_build_takes_no_data_as_the_page_warns(opa: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(POLICIES, tmp_path / "policies")
    command = [
        str(opa),
        "build",
        "-O",
        "1",
        "-b",
        ".",
        "-t",
        "wasm",
        "-e",
        "cambist/exchange/decision",
        "--ignore",
        "*_test.rego",
        "-o",
        "fast.tar.gz",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    code, told = decided(tmp_path, QUESTION, DATA, "--bundle", str(folder / "fast.tar.gz"))
    assert (code, told) == (1, "denied\n  reason    there are no rules for this zone\n")


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", PAGE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (POLICIES / link).exists()
