"""The how-to for an OPA server is run as it stands: its commands, its lock, and what it says of both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from habits.opa import opa_server
from habits.pages import Shell, blocks
from habits.running import free_port

from cambist import Permit, Unavailable
from cambist.egress import Egress, EgressSettings
from cambist_opa_rest.policy import OpaRestPolicy
from cambist_opa_rest.settings import OpaRestSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "decide-by-an-opa-server.md"
QUESTION = json.loads(re.findall(r"^```json\n(.*?)^```", (ROOT / "policies" / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)[0])

pytestmark = pytest.mark.row("P-opa-rest", real="opa")


def test_the_commands_of_the_page_serve_rules_that_answer_the_question(opa: Path, curl: Path, tmp_path: Path) -> None:
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    (tmp_path / "question.json").write_text(json.dumps({"input": QUESTION}), "utf-8")
    serve, ask = (block.replace("8181", port) for port in [str(free_port())] for block in blocks(PAGE, "sh"))
    url = ask.split("'")[1].split("/v1/")[0]
    wait = f"until {curl} --silent --fail {url}/health; do sleep 0.1; done"
    wrote = Shell(tmp_path, opa.parent).ran(f"{serve.rstrip()} > opa.log 2>&1 &\n{wait}\n{ask}\nkill $!")
    answer = json.loads(wrote[wrote.index('{"provenance"') :])
    assert answer["result"] == {"allow": True, "scope": ["orders:read"]}
    assert answer["provenance"]["bundles"] == {"rules.tar.gz": {"revision": "2027-01"}}


async def test_the_lock_of_the_page_lets_in_who_has_the_token_and_no_further(opa: Path, tmp_path: Path) -> None:
    [lock] = blocks(PAGE, "rego")
    (tmp_path / "lock.rego").write_text(lock, "utf-8")
    rules = [ROOT / "policies" / "cambist" / name for name in ("exchange.rego", "soundness.rego")]
    data = ROOT / "policies" / "examples" / "application.json"
    locked = ["--authentication=token", "--authorization=basic", *rules, data, tmp_path / "lock.rego"]
    with opa_server(opa, tmp_path / "log", *locked) as server:
        async with Egress(EgressSettings()) as http:
            table = {"url": server.url, "token": "the-token"}
            policy = OpaRestPolicy(OpaRestSettings.model_validate(table), http)
            assert isinstance(await policy.asked(json.dumps(QUESTION).encode()), Permit)
            with pytest.raises(Unavailable):
                await OpaRestPolicy(OpaRestSettings(url=server.url), http).ping()
        bearer = {"authorization": "Bearer the-token"}
        for path in ("v1/policies", "v1/data", "v1/config"):
            assert httpx.get(f"{server.url}/{path}", headers=bearer, trust_env=False).status_code == 401
