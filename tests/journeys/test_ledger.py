"""The ledger of a served Cambist: verified while it serves, after it was stopped, and after somebody laid hands on it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from habits.served import CAMBIST, Served, address, served

from cambist.testing import Forge

ISSUER = "https://issuer.example.test"
TARGET = "https://api.example.test"
DONE, NO = 0, 1


def audit(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    ran = subprocess.run([*CAMBIST, "-c", folder / "cambist.toml", *arguments], capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout


def verified(folder: Path) -> dict[str, Any]:
    _, said = audit(folder, "audit", "verify", "--json")
    report: dict[str, Any] = json.loads(said)
    return report


def decided(service: Served, forge: Forge, count: int) -> list[str]:
    """The ids of so many decisions."""
    answers = [service.form(forge.jwt(sub=f"workload-{n}"), audience=TARGET) for n in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.headers["cambist-decision-id"] for answer in answers]


@pytest.mark.row("P-audit")
def test_the_ledger_of_a_service_verifies_until_somebody_changes_it(tmp_path: Path) -> None:
    url = address()
    forge = Forge(ISSUER, url, time.time)
    (tmp_path / "jwks.json").write_text(json.dumps(forge.jwks))
    trust = f'[[plugins.jwt.issuers]]\nissuer = "{ISSUER}"\njwks_file = "{tmp_path}/jwks.json"\n'
    grants = {"cambist": {"zones": {"default": {"grants": {ISSUER: {"*": {TARGET: {"scopes": ["*"]}}}}}}}}
    with served(tmp_path, url, trust, grants) as service:
        ids = decided(service, forge, 5)
        while_serving = verified(tmp_path)
        assert (while_serving["ok"], while_serving["decisions"]) == (True, 5)
        assert audit(tmp_path, "explain", ids[2])[0] == DONE
    stopped = verified(tmp_path)
    assert (stopped["ok"], stopped["decisions"], stopped["notes"]) == (True, 5, [])
    assert audit(tmp_path, "audit", "search", "--decision", ids[3])[1].split()[-1] == ids[3]
    assert audit(tmp_path, "audit", "search", "--subject", "nobody")[0] == NO

    [segment] = (tmp_path / "audit").glob("*.jsonl")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"workload-1", b"workload-9", 1))
    code, said = audit(tmp_path, "audit", "verify")
    assert (code, f"{segment.name}:3 (decision {ids[1]})" in said) == (NO, True)
    segment.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    assert [found["kind"] for found in verified(tmp_path)["damage"]] == ["cut"], "the store knows where the chain ended"
    segment.unlink()
    assert [found["kind"] for found in verified(tmp_path)["damage"]] == ["removed"]
