"""`opa-wasm` keeps the contract of every policy, with the default rules and an operator's data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cambist import Policy, PolicyInput, ZoneHost
from cambist.testing import PolicyContract, question
from cambist.testing.contracts.policy import Opened
from cambist_opa_wasm.policy import OpaWasmPolicy
from cambist_opa_wasm.settings import OpaWasmSettings
from cambist_opa_wasm.testing import wasm

# Without `reload` it asks nothing of its host but the zone's name.
HOST = cast(ZoneHost, SimpleNamespace(zone=SimpleNamespace(id="default")))


def policy(**settings: Any) -> OpaWasmPolicy:
    return OpaWasmPolicy(OpaWasmSettings(reload=0, **settings), HOST)


@pytest.mark.row("P-opa-wasm")
class TestOpaWasm(PolicyContract):
    @pytest.fixture
    def opened(self, tmp_path: Path, permitted: PolicyInput) -> Opened:
        who, (target,) = permitted.subject.identity, permitted.targets
        grants = {who.issuer: {who.subject: {target.id: {"scopes": ["read"]}}}}
        data = tmp_path / "grants.json"
        data.write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants}}}}))

        @asynccontextmanager
        async def opened() -> AsyncIterator[Policy]:
            async with policy(data=data) as rules:
                yield rules

        return opened

    @pytest.fixture
    def permitted(self) -> PolicyInput:
        return question()

    @pytest.fixture
    def cut_off(self, tmp_path: Path) -> Iterable[Opened]:
        bundle = tmp_path / "rules.wasm"
        bundle.write_bytes(wasm(result=[]))

        @asynccontextmanager
        async def not_open() -> AsyncIterator[Policy]:
            yield policy()

        return (not_open,)
