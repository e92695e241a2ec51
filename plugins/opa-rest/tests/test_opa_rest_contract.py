"""`opa-rest` keeps the contract of every policy, with a real OPA that has the default rules and an operator's data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from habits.opa import OpaServer, opa_server
from habits.running import free_port

from cambist import Policy, PolicyInput
from cambist.egress import Egress, EgressSettings
from cambist.testing import PolicyContract, question
from cambist.testing.contracts.policy import Opened
from cambist_opa_rest.policy import OpaRestPolicy
from cambist_opa_rest.settings import OpaRestSettings
from cambist_opa_rest.testing import Script, ScriptedOpa, said

RULES = Path(__file__).parents[3] / "policies" / "cambist"
WHO, TARGET = question().subject.identity, question().targets[0].id
GRANTS = {WHO.issuer: {WHO.subject: {TARGET: {"scopes": ["read"]}}}}


def opened(url: str) -> Opened:
    @asynccontextmanager
    async def policy() -> AsyncIterator[Policy]:
        async with Egress(EgressSettings()) as http:
            yield OpaRestPolicy(OpaRestSettings(url=url), http)

    return policy


def scripted(script: Script) -> Opened:
    @asynccontextmanager
    async def policy() -> AsyncIterator[Policy]:
        async with ScriptedOpa(script) as opa, opened(opa.url)() as found:
            yield found

    return policy


@pytest.fixture(scope="module")
def server(opa: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpaServer]:
    folder = tmp_path_factory.mktemp("contract")
    (folder / "data.json").write_text(json.dumps({"cambist": {"zones": {"default": {"grants": GRANTS}}}}))
    rules = [RULES / "exchange.rego", RULES / "soundness.rego", folder / "data.json"]
    with opa_server(opa, folder / "log", *rules) as running:
        yield running


@pytest.mark.row("P-opa-rest", real="opa")
class TestOpaRest(PolicyContract):
    @pytest.fixture
    def opened(self, opa: Path, server: OpaServer) -> Opened:
        return opened(server.url)

    @pytest.fixture
    def permitted(self) -> PolicyInput:
        return question()

    @pytest.fixture
    def cut_off(self) -> Iterable[Opened]:
        undefined = {"status": 200, "headers": [["content-type", "application/json"]], "body": "{}"}
        nobody, broken = opened(f"http://127.0.0.1:{free_port()}"), {"status": 500, "body": "{}"}
        return (nobody, scripted({"reset": True}), scripted(broken), scripted(undefined), scripted(said({"allow": "true"})))
