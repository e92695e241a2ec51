"""Exchanges over HTTP that the rules decide: the default bundle with an operator's data, and answers of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.token_type import JWT
from cambist_opa_wasm.policy import DEFAULT
from cambist_opa_wasm.testing import wasm

pytestmark = pytest.mark.row("P-opa-wasm")

CLOCK = MovableClock()
ISSUER, API = "https://idp.example.test", "https://api.example.test"
FORGE = Forge(ISSUER, "https://sts.example.test", CLOCK)
GRANTS = {"cambist": {"zones": {"default": {"grants": {ISSUER: {"workload-1": {API: {"scopes": ["read", "write"], "ttl": 120}}}}}}}}


@asynccontextmanager
async def served(clock: MovableClock = CLOCK, /, **settings: Any) -> AsyncIterator[Running]:
    plugins = {"jwt": {"issuers": [{"issuer": ISSUER, "jwks": FORGE.jwks}]}, "opa-wasm": settings}
    async with open_sts({"authenticates": [JWT], "plugins": plugins}, clock=clock) as running:
        yield running


def granting(folder: Path, document: Mapping[str, Any] = GRANTS) -> str:
    path = folder / "data.json"
    path.write_text(json.dumps(document))
    return str(path)


def deciding(folder: Path, **changes: Any) -> str:
    path = folder / "rules.wasm"
    path.write_bytes(wasm(**changes))
    return str(path)


async def test_the_default_rules_permit_what_the_data_grant(tmp_path: Path) -> None:
    async with served(data=granting(tmp_path)) as running:
        answer = await running.json(subject_token=FORGE.jwt(), audience=API, scope="read admin")
        assert answer.status_code == 200, answer.text
        assert (answer.json()["scope"], answer.json()["expires_in"]) == ("read", 120)
        answer = await running.form(subject_token=FORGE.jwt(), audience=API, scope="write")
        assert answer.status_code == 200, answer.text
        assert answer.json()["scope"] == "write"


@pytest.mark.parametrize("changed", [{"sub": "workload-2"}, {"aud": "https://sts.example.test", "sub": "WORKLOAD-1"}])
async def test_the_default_rules_refuse_everybody_else(tmp_path: Path, changed: dict[str, Any]) -> None:
    async with served(data=granting(tmp_path)) as running:
        answer = await running.json(subject_token=FORGE.jwt(**changed), audience=API)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
        answer = await running.form(subject_token=FORGE.jwt(**changed), audience=API)
        assert answer.status_code == 400


async def test_the_default_rules_refuse_another_target_and_the_caller_hears_why(tmp_path: Path) -> None:
    async with served(data=granting(tmp_path)) as running:
        answer = await running.form(subject_token=FORGE.jwt(), audience="https://other.example.test")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
        answer = await running.json(subject_token=FORGE.jwt(), audience="https://other.example.test")
        assert answer.status_code == 403
        assert "no grant for this target" in answer.json()["error_description"]


async def test_without_data_the_default_rules_refuse_everything() -> None:
    async with served() as running:
        answer = await running.json(subject_token=FORGE.jwt(), audience=API)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")


def test_the_default_bundle_is_the_one_of_policies() -> None:
    assert DEFAULT.is_symlink()
    assert DEFAULT.resolve() == Path(__file__).parents[3].resolve() / "policies" / "bundle.tar.gz"


def test_a_wheel_holds_the_default_bundle_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("cambist_opa_wasm/default.tar.gz") == DEFAULT.read_bytes()


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("unreachable", "unreachable"),
        ("(call $abort (i32.const 8192)) (i32.const 1)", "aborted"),
        ("(loop $l (br $l)) (i32.const 1)", "out of fuel"),
        ("(i32.const 0)", "lies at 0"),
        ("(i32.const -1)", "outside its memory"),
        ("(i32.const 16384)", "undefined"),
    ],
)
async def test_a_fault_refuses_one_exchange_and_not_the_next(tmp_path: Path, fault: str, cause: str) -> None:
    """The fault comes while the last digit of `now`, at a known place of the question, is a 7."""
    seven = "(i32.eq (i32.load8_u offset=45 (local.get 3)) (i32.const 55))"
    faulty = f"(if (result i32) {seven} (then {fault}) (else (i32.const 8192)))"
    rules = deciding(tmp_path, opa_eval=faulty, extra='(data (i32.const 16384) "[]\\00")')
    clock = MovableClock()
    async with served(clock, bundle=rules) as running:
        for _ in range(2):
            assert (await running.json(subject_token=FORGE.jwt(), audience=API)).status_code == 200
            clock.move(7)
            for ask, status in ((running.json, 503), (running.form, 503)):
                answer = await ask(subject_token=FORGE.jwt(), audience=API)
                assert answer.status_code == status
                assert "access_token" not in answer.text
                refusal = running.records[-1].refusal
                assert refusal is not None
                assert cause in str(refusal.facts["cause"])
                assert cause not in answer.text
            clock.move(-7)
        assert (await running.sts.ready())["zone default"] == "ok"


async def test_each_zone_has_rules_and_limits_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first.wasm", tmp_path / "second.wasm"
    first.write_bytes(wasm())
    second.write_bytes(wasm(result={"allow": False}))
    jwt = {"issuers": [{"issuer": ISSUER, "jwks": FORGE.jwks}]}
    zone = {"authenticates": [JWT], "plugins": {"jwt": jwt, "opa-wasm": {"bundle": str(second)}}}
    settings = {"authenticates": [JWT], "plugins": {"jwt": jwt, "opa-wasm": {"bundle": str(first)}}, "zones": {"strict": zone}}
    async with open_sts(settings, clock=CLOCK) as running:
        for zone_id, status in (("default", 200), ("strict", 400), ("default", 200)):
            answer = await running.form(subject_token=FORGE.jwt(), audience=API, zone_id=zone_id)
            assert answer.status_code == status
        watches = [name for name in await running.sts.ready() if name.startswith("opa-wasm: zone")]
        assert watches == ["opa-wasm: zone default", "opa-wasm: zone strict"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bundel": "x"}, "plugins.opa-wasm.bundel: unknown; did you mean bundle?"),
        ({"fuel": 1}, "plugins.opa-wasm.fuel"),
        ({"memory": 1_000_000}, "plugins.opa-wasm.memory"),
        ({"deadline": 0}, "plugins.opa-wasm.deadline"),
        ({"reload": -1}, "plugins.opa-wasm.reload"),
        ({"entrypoint": ""}, "plugins.opa-wasm.entrypoint"),
        ({"bundle": "/nowhere"}, "/nowhere: No such file"),
        ({"bundle": __file__}, "is neither a bundle (.tar.gz) nor a WebAssembly module"),
    ],
)
async def test_wrong_settings_keep_the_service_shut(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(DidNotStart) as caught:
        async with served(**settings):
            pass
    assert says in str(caught.value)


def test_the_plugin_is_found_without_loading_wasmtime() -> None:
    """What is only installed must cost nothing."""
    code = "import sys, cambist_opa_wasm; print('wasmtime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
