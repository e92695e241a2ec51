"""The committed bundle and schemas are what their sources say, and the sources are sound."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from cambist.strictjson import loads

POLICIES = Path(__file__).parents[2] / "policies"


def ran(opa: Path, *arguments: str, folder: Path = POLICIES) -> str:
    done = subprocess.run([opa, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.row("P-opa-wasm", real="opa")
def test_the_committed_bundle_is_what_the_sources_compile_to(opa: Path, tmp_path: Path) -> None:
    [version] = re.findall(r"OPA (\d+\.\d+\.\d+) compiled", (POLICIES / "NOTICE").read_text("utf-8"))
    if f"Version: {version}\n" not in ran(opa, "version"):
        pytest.skip(f"opa {version} is absent: other versions compile to other bytes")
    # From a copy in another folder: the bytes must depend on nothing but the sources.
    folder = shutil.copytree(POLICIES, tmp_path / "elsewhere")
    (folder / "bundle.tar.gz").unlink()
    subprocess.run([folder / "build.sh"], env={"OPA": str(opa), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, check=True, timeout=60)
    assert (folder / "bundle.tar.gz").read_bytes() == (POLICIES / "bundle.tar.gz").read_bytes(), "run policies/build.sh"


def test_the_bundle_holds_the_rules_and_the_empty_data_and_nothing_else() -> None:
    with tarfile.open(POLICIES / "bundle.tar.gz") as bundle:
        found = {member.name.lstrip("/"): (bundle.extractfile(member) or pytest.fail(member.name)).read() for member in bundle}
    assert set(found) == {"data.json", "policy.wasm", ".manifest", "cambist/exchange.rego", "cambist/soundness.rego"}
    assert json.loads(found["data.json"]) == json.loads((POLICIES / "data.json").read_text("utf-8")) == {"cambist": {"zones": {}}}


def test_the_rules_ask_their_host_for_nothing() -> None:
    """Loading refuses rules that need a function of the host; here they load, and decide within a small part of the fuel."""
    from cambist_opa_wasm.instance import Bounds
    from cambist_opa_wasm.loaded import LoadedRules
    from cambist_opa_wasm.rules import read
    from cambist_opa_wasm.runtime import runtime

    with runtime():
        LoadedRules(read(POLICIES / "bundle.tar.gz", None), "cambist/exchange/decision", Bounds(fuel=1_000_000, deadline=1.0, memory=64))


def test_the_rego_tests_pass_and_leave_no_line_out(opa: Path) -> None:
    assert re.search(r"^PASS: (5[0-9]|[6-9][0-9])/\1$", ran(opa, "test", "--bundle", "."), re.MULTILINE)
    covered = json.loads(ran(opa, "test", "--bundle", ".", "--coverage"))
    assert {name: file.get("not_covered") for name, file in covered["files"].items() if file.get("not_covered")} == {}


def test_the_rules_are_formatted_and_know_the_members_of_the_question(opa: Path) -> None:
    assert ran(opa, "fmt", "--list", "cambist") == ""
    ran(opa, "check", "--strict", "--bundle", ".", "--schema", "input.schema.json")


@pytest.mark.parametrize("path", sorted(POLICIES.glob("**/*.json")), ids=lambda path: str(path.relative_to(POLICIES)))
def test_every_document_is_strict_json(path: Path) -> None:
    loads(path.read_bytes(), max_depth=32)


def test_the_schemas_are_what_core_says() -> None:
    done = subprocess.run([sys.executable, POLICIES / "generate.py", "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_stale_schema_is_noticed_and_written_anew(tmp_path: Path) -> None:
    for name in ("generate.py", "input.schema.json"):
        shutil.copy(POLICIES / name, tmp_path)
    schema = tmp_path / "input.schema.json"
    schema.write_text(schema.read_text("utf-8").replace('"zone"', '"realm"'), "utf-8")
    command = [sys.executable, str(tmp_path / "generate.py")]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 1
    assert checked.stderr == "stale, run `python policies/generate.py`: input.schema.json, answer.schema.json\n"
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    for name in ("input.schema.json", "answer.schema.json"):
        assert (tmp_path / name).read_bytes() == (POLICIES / name).read_bytes()


def test_the_notice_names_what_the_bundle_embeds() -> None:
    notice = (POLICIES / "NOTICE").read_text("utf-8")
    assert "Open Policy Agent" in notice
    assert "Apache License, Version 2.0" in notice
