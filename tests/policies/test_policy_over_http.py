"""The default rules at work in a service: what the caller is told, and that OPA says the same of the same question."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pytest

from cambist import Answer, Policy, PolicyInput, ZoneHost, hookimpl
from cambist.answer import answer
from cambist.client_secret import hash_secret
from cambist.compact import Compact
from cambist.policy import Deny, Permit
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from cambist_opa_wasm.policy import OpaWasmPolicy
from cambist_opa_wasm.settings import OpaWasmSettings

POLICIES = Path(__file__).parents[2] / "policies"
HERE, ISSUER = "https://sts.example.test", "https://idp.example.test"
API = "https://api.example.test"
ALICE = f"wimse://sts.example.test/issuer/{ISSUER.replace(':', '_3a').replace('/', '_2f')}/subject/alice"
MAY_NOT_ASK = "this application may not ask for this subject"
SECRET_HASH = hash_secret("s3cret")
BASIC = {"authorization": f"Basic {b64encode(b'shop:s3cret').decode()}"}

pytestmark = [pytest.mark.row("P-opa-wasm", real="opa"), pytest.mark.row("J-policy", real="opa")]


class Watched:
    """The policy backend, with an ear at the door: it is its own plugin module, and keeps what was asked and answered."""

    name = "watched"

    def __init__(self, data: Path) -> None:
        self._settings = OpaWasmSettings(data=data, reload=0)
        self.said: list[tuple[bytes, Answer]] = []

    @property
    def revision(self) -> str:
        return self._policy.revision

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        self._policy = OpaWasmPolicy(self._settings, host)
        yield self

    async def __aenter__(self) -> Self:
        await self._policy.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self._policy.__aexit__(kind, error, where)

    async def look(self) -> None:
        await self._policy.look()
        await self._policy.ping()

    async def decide(self, question: PolicyInput) -> Answer:
        decided = await self._policy.decide(question)
        self.said.append((msgspec.json.encode(question.document()), decided))
        return decided


class Shop:
    """A service with the default rules, one issuer and one application, and how to ask it."""

    def __init__(self, running: Running, forge: Forge, watched: Watched, data: Path) -> None:
        self.running, self.forge, self.watched, self.data = running, forge, watched, data

    async def ask(self, token: str | None = None, **members: Any) -> Any:
        """As the application `shop`, for alice unless another token is given."""
        asked = {"subject_token": token or self.forge.jwt(sub="alice"), "audience": API, "scope": "read write", **members}
        return await self.running.json(headers=BASIC, **asked)

    async def rule(self, **zone: Any) -> None:
        """Replace the data, while the service runs."""
        _lay(self.data, zone)
        await self.watched.look()

    def agreed(self, opa: Path) -> Answer:
        """The last answer, after OPA was asked the same question with the same rules and data, and gave the same answer."""
        question, decided = self.watched.said[-1]
        sources = (POLICIES / "cambist" / "exchange.rego", POLICIES / "cambist" / "soundness.rego", self.data)
        loaded = [word for path in sources for word in ("--data", str(path))]
        command = [str(opa), "eval", "--stdin-input", *loaded, "data.cambist.exchange.decision"]
        done = subprocess.run(command, input=question, capture_output=True, check=True, timeout=60)
        assert answer(json.loads(done.stdout)["result"][0]["expressions"][0]["value"]) == decided
        return decided


@asynccontextmanager
async def shop(folder: Path, **zone: Any) -> AsyncIterator[Shop]:
    data = folder / "data.json"
    _lay(data, zone)
    watched, clock = Watched(data), MovableClock()
    forge = Forge(ISSUER, HERE, clock)
    settings = {
        "applications": {
            "shop": {
                "secret_hash": SECRET_HASH,
                "grants": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS],
                "identities": [{"issuer": ISSUER, "subject": name} for name in ("planner", "fetcher")],
            }
        },
        "resources": {API: {"owner": "shop"}},  # so that it may present tokens that were issued for it
        "plugins": {"jwt": {"issuers": [{"issuer": ISSUER, "jwks": forge.jwks}]}},
    }
    async with open_sts(settings, modules={"watched": watched}, clock=clock) as running:
        yield Shop(running, forge, watched, data)


def _lay(path: Path, zone: dict[str, Any]) -> None:
    path.write_text(json.dumps({"cambist": {"zones": {"default": zone}}}), "utf-8")


GRANTS = {ISSUER: {"alice": {API: {"scopes": ["read"], "ttl": 60, "claims": {"caps": ["read"]}}}}}
ANY_ALICE: Any = {"shop": {ISSUER: {"alice": {}}}}


async def test_without_a_rule_an_application_is_denied_and_the_reason_stays_inside(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants=GRANTS) as at:
        refused = await at.ask()
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert MAY_NOT_ASK not in refused.text
        assert at.agreed(opa) == Deny(reasons=(MAY_NOT_ASK,))
        told = at.running.records[-1].refusal
        assert told is not None
        assert told.facts["reasons"] == [MAY_NOT_ASK]


async def test_a_reason_that_the_data_mark_public_reaches_the_caller(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants=GRANTS, public=[MAY_NOT_ASK]) as at:
        refused = await at.ask()
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert f"policy denied: {MAY_NOT_ASK}" in refused.json()["error_description"]
        assert at.agreed(opa) == Deny(reasons=(MAY_NOT_ASK,), said=(MAY_NOT_ASK,))


async def test_a_target_without_a_grant_is_refused_by_name(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants=GRANTS, clients=ANY_ALICE) as at:
        refused = await at.ask(audience="https://other.example.test")
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert "policy denied: no grant for this target" in refused.json()["error_description"]
        assert isinstance(denied := at.agreed(opa), Deny)
        assert denied.targets == ("https://other.example.test",)


async def test_what_is_granted_bounds_scope_and_lifetime_and_adds_claims(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants=GRANTS, clients=ANY_ALICE) as at:
        given = await at.ask()
        assert given.status_code == 200, given.text
        assert (given.json()["scope"], given.json()["expires_in"]) == ("read", 60)
        claims = Compact.parse(given.json()["access_token"]).claims
        assert (claims["sub"], claims["client_id"], claims["caps"]) == (ALICE, "shop", ["read"])
        assert isinstance(at.agreed(opa), Permit)


async def test_an_application_asks_for_itself_without_any_rule(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants={HERE: {"shop": {API: {"scopes": ["read"]}}}}) as at:
        given = await at.running.form(grant_type=CLIENT_CREDENTIALS, audience=API, scope="read", headers=BASIC)
        assert given.status_code == 200, given.text
        assert isinstance(at.agreed(opa), Permit)


async def test_a_target_can_demand_an_execution_scope(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, grants=GRANTS, clients=ANY_ALICE, targets={API: {"execution_scope": True}}) as at:
        refused = await at.ask()
        assert "policy denied: this target wants an execution scope" in refused.json()["error_description"]
        assert isinstance(at.agreed(opa), Deny)
        given = await at.ask(execution_scope={"htm": "GET", "htu": f"{API}/orders", "nonce": "n-1"})
        assert given.status_code == 200, given.text
        assert isinstance(at.agreed(opa), Permit)


CHAIN: Any = {
    "grants": {**GRANTS, HERE: {ALICE: {API: {"scopes": ["read"]}}}},
    "actors": {ISSUER: {"planner": {ISSUER: {"alice": {}}}, "fetcher": {HERE: {ALICE: {"ttl": 20}}}}},
}


async def test_agents_act_one_after_the_other_as_far_as_the_data_say(opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, **CHAIN, max_chain=2) as at:
        first = await at.ask(actor_token=at.forge.jwt(sub="planner"))
        assert first.status_code == 200, first.text
        assert isinstance(at.agreed(opa), Permit)
        second = await at.ask(first.json()["access_token"], actor_token=at.forge.jwt(sub="fetcher"))
        assert (second.status_code, second.json()["expires_in"]) == (200, 20), second.text
        assert isinstance(at.agreed(opa), Permit)
        again = await at.ask(first.json()["access_token"], actor_token=at.forge.jwt(sub="planner"))
        assert again.status_code == 403


@pytest.mark.parametrize("name", ["alice", "planner", "fetcher"])
async def test_who_is_blocked_after_the_first_hop_ends_the_chain_at_any_place_in_it(name: str, opa: Path, tmp_path: Path) -> None:
    async with shop(tmp_path, **CHAIN) as at:
        first = await at.ask(actor_token=at.forge.jwt(sub="planner"))
        assert first.status_code == 200, first.text
        blocked = {ALICE.replace("subject/alice", f"subject/{name}"): {"reason": "withdrawn", "public": True}}
        await at.rule(**CHAIN, blocked=blocked)
        refused = await at.ask(first.json()["access_token"], actor_token=at.forge.jwt(sub="fetcher"))
        assert refused.status_code == 403
        assert "policy denied: withdrawn" in refused.json()["error_description"]
        assert at.agreed(opa) == Deny(reasons=("withdrawn",), said=("withdrawn",))
