"""The real service, two workers over HTTP, under every set that fits what is enabled: `make attacks`, in small."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from attacks.__main__ import COPIES, OWN, SHARED, played
from attacks.corpus import read
from attacks.dialogue import Run
from attacks.differences import differences
from attacks.plugins import variants
from attacks.publisher import publishing
from attacks.stage import LEDGER, Stage, exchange
from attacks.standing import Server, real
from attacks.tally import Tally
from attacks.wire import ask
from cambist.testing.clock import NOON

ROUNDS = int(os.environ.get("ATTACK_ROUNDS", "2"))
"""How often each race is run: `make attacks` runs each twenty times."""
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("attacks")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here other tests share the machine with the service; `make attacks`, which has it alone, calls one second a hang."""
    monkeypatch.setattr("attacks.judging.HANG", 3.0)


async def tally_of(folder: Path, server: Server, sample: int = 1) -> Tally:
    (tally,) = await played([read(folder)], Run(real(server), rounds=ROUNDS, sample=sample, differences=differences()))
    return tally


def all_well(tally: Tally) -> None:
    assert (tally.told, tally.document()) == ([], {**tally.document(), "controls": True, "bad_accepted": 0, "unclean": 0, "leaks": 0})
    assert tally.right == tally.decided


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
async def test_what_the_service_calls_is_heard_and_what_it_decides_is_written_where_secrets_are_looked_for(
    tmp_path: Path, server: Server
) -> None:
    """Else no connection, and no leak, would prove nothing."""
    async with publishing() as publisher:
        stage = Stage(tmp_path, NOON, publisher)
        forge = stage.forge()
        async with real(server)(stage.settings([stage.trusted(forge)]), NOON, tmp_path) as service:
            mark = service.witness.mark()
            reply = await ask(service.port, exchange(forge.jwt()).raw())
            heard = service.witness.strangers(mark, frozenset())
            log = await asyncio.to_thread(service.finish)
    assert reply.status == 200, reply.body
    assert heard == [f"127.0.0.1 {publisher.port}"]
    assert publisher.asked == ["/0.json"]
    assert "listening on" in log
    assert reply.header("cambist-decision-id") in "".join(
        file.read_text("utf-8") for file in (tmp_path / LEDGER).rglob("*") if file.is_file()
    )


@pytest.mark.parametrize("name", ["jose-attacks", "client-assertions", "policy-results", "workload-identifiers"])
async def test_what_a_set_demands_is_what_is_decided(name: str) -> None:
    tally = await tally_of(COPIES / name, "hypercorn")
    all_well(tally)
    assert tally.decided >= 20


@pytest.mark.parametrize(
    ("family", "variant", "least"),
    [
        *(("jose-attacks", f"jose-attacks {plugin}", 20) for plugin in ("oidc", "access-token")),
        *(("jose-attacks", f"forged {plugin}", 20) for plugin in ("oidc", "access-token", "kubernetes", "gcp", "azure")),
        *(("workload-identifiers", f"identifiers {plugin}", 20) for plugin in ("kubernetes", "azure")),
        ("workload-identifiers", "identifiers oidc", 1),  # its control: an issuer may call its subjects as it likes, within its own names
    ],
)
async def test_a_family_is_decided_alike_by_each_plugin_that_takes_such_tokens(family: str, variant: str, least: int) -> None:
    [corpus] = [one for one in variants(read(COPIES / family)) if one.name == variant]
    (tally,) = await played([corpus], Run(real("hypercorn"), rounds=ROUNDS, differences=differences()))
    all_well(tally)
    assert tally.decided >= least


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
async def test_requests_are_judged_alike_by_both_servers(server: Server) -> None:
    all_well(await tally_of(COPIES / "token-endpoint-requests", server))


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
@pytest.mark.row("F-assertion")
async def test_what_may_be_used_once_is_accepted_once_of_fifty_sent_at_once_to_two_workers(server: Server) -> None:
    tally = await tally_of(OWN / "single-use", server)
    all_well(tally)
    assert tally.decided == 8 + 2 * ROUNDS


@pytest.mark.row("P-opa-rest")
@pytest.mark.row("P-opa-wasm")
async def test_no_fault_of_a_policy_engine_mints_a_token() -> None:
    all_well(await tally_of(OWN / "policy-faults", "hypercorn"))


@pytest.mark.parametrize(
    ("name", "sample"), [("naughty-strings", 24), ("json-parsing", 1), ("wycheproof-jose", 1), ("jose-cookbook", 1), ("saml-attacks", 1)]
)
async def test_sets_of_others_are_decided_where_they_are_at_hand(name: str, sample: int) -> None:
    folder = ROOT / SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{name} is absent: {folder}")
    all_well(await tally_of(folder, "hypercorn", sample))
