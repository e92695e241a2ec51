"""The backend by itself: what it answers while it is closed, and what it keeps to itself while it looks for new rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cambist import Permit, Unavailable
from cambist.testing import question
from cambist_opa_wasm.broken import Broken
from cambist_opa_wasm.policy import OpaWasmPolicy
from cambist_opa_wasm.settings import OpaWasmSettings
from cambist_opa_wasm.testing import wasm

HOST: Any = object()
"""Without `reload` it asks nothing of it."""


def policy(path: Path) -> OpaWasmPolicy:
    return OpaWasmPolicy(OpaWasmSettings(bundle=path, reload=0), HOST)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "rules.wasm"
    found.write_bytes(wasm(result={"allow": True}))
    return found


async def test_what_is_not_open_decides_nothing_and_is_not_ready(path: Path) -> None:
    rules = policy(path)
    for _ in range(2):  # before it was opened, and after it was closed
        for asked in (rules.ping, lambda: rules.decide(question())):
            with pytest.raises(Unavailable) as refused:
                await asked()
            assert refused.value.facts["cause"] == "it is not open"
        async with rules:
            assert isinstance(await rules.decide(question()), Permit)
            await rules.ping()


async def test_rules_that_were_refused_once_are_not_compiled_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, tried = policy(path), list[str]()
    load = OpaWasmPolicy._load

    def counted(self: OpaWasmPolicy, found: Any) -> Any:
        tried.append(found.digest)
        return load(self, found)

    async with rules:
        monkeypatch.setattr(OpaWasmPolicy, "_load", counted)
        path.write_bytes(wasm(result={"allow": True}, opa_eval="unreachable"))
        for _ in range(3):
            await rules.look()
            with pytest.raises(Broken) as broken:
                await rules.ping()
            assert "still at work" in broken.value.cause
        assert len(tried) == 1
        path.write_bytes(wasm(result={"allow": True}))
        await rules.look()
        await rules.ping()


async def test_whatever_goes_wrong_while_it_looks_is_told_by_ping_and_harms_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = policy(path)
    async with rules:

        def fails(self: OpaWasmPolicy) -> Any:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(OpaWasmPolicy, "_read", fails)
        await rules.look()
        assert isinstance(await rules.decide(question()), Permit)
        with pytest.raises(Broken) as broken:
            await rules.ping()
        assert "ZeroDivisionError: a bug" in broken.value.cause


async def test_rules_that_are_broken_in_a_new_way_are_logged_once_for_each_way(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = policy(path)
    async with rules:
        for content, logged in ((b"no rules", 1), (b"no rules", 1), (wasm(result={"allow": True}, opa_eval="unreachable"), 2)):
            path.write_bytes(content)
            await rules.look()
            assert len([record for record in caplog.records if record.levelname == "ERROR"]) == logged
