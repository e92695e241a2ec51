"""A service in a worker: its settings were tried by another process, so that it reads inline keys when a credential first needs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from cambist import DidNotStart
from cambist.client_assertion import JWT_BEARER
from cambist.jwk import KeySet
from cambist.settings import parse
from cambist.sts import Sts
from cambist.testing import ISSUER, AllowAll, Forge, MovableClock
from cambist.testing.service import AtHand, Running
from cambist.token_type import JWT
from cambist.web.app import create
from cambist.web.metrics import Metrics

FOREIGN, API = "https://issuer.example.test", "https://api.example.test"
PRIVATE = ECKey.generate_key("P-256", {"kid": "k1"}).as_dict(private=True)


def document(forge: Forge, **changes: Any) -> dict[str, Any]:
    """Three issuers, the middle one with other keys where `jwks` says so, and an application with a key of its own."""
    ours = {"issuer": FOREIGN, "jwks": changes.get("jwks", forge.jwks)}
    others = [{"issuer": f"{FOREIGN}/{name}", "jwks": Forge(f"{FOREIGN}/{name}", ISSUER, forge.clock).jwks} for name in ("a", "b")]
    return {
        "issuer": ISSUER,
        "authenticates": [JWT],
        "plugins": {"jwt": {"issuers": [others[0], ours, others[1]]}, "scripted": {}},
        "applications": {"app": {"jwks": changes.get("app", forge.jwks)}},
    }


@asynccontextmanager
async def worker(settings: dict[str, Any], clock: MovableClock, *, tried: bool = True) -> AsyncIterator[Running]:
    metrics = Metrics()
    async with Sts(parse(settings), clock=clock, finder=AtHand({"scripted": AllowAll()}), observers=(metrics,), tried=tried) as sts:
        await sts.zones.named("default")
        transport = httpx.ASGITransport(app=create(sts, metrics))
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
            yield Running(sts, http, [])


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The documents that were read as key sets since."""
    read, of = [], KeySet.of

    def told(document: object, **more: Any) -> KeySet:
        read.append(document)
        return of(document, **more)

    monkeypatch.setattr(KeySet, "of", told)
    return read


async def test_a_worker_reads_the_keys_of_the_issuer_that_is_named_and_of_no_other(readings: list[object]) -> None:
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    settings = document(forge)
    stated = [entry["jwks"] for entry in settings["plugins"]["jwt"]["issuers"]]
    async with worker(settings, clock) as sts:
        assert readings == []
        for number in range(3):
            answer = await sts.json(subject_token=forge.jwt(jti=f"j{number}"), audience=API)
            assert answer.status_code == 200
        assert [read for read in readings if read in stated] == [forge.jwks]  # those of our own are read to mint


async def test_who_tries_the_settings_reads_all_keys_each_once(readings: list[object]) -> None:
    clock = MovableClock()
    async with worker(document(Forge(FOREIGN, ISSUER, clock)), clock, tried=False):
        assert len(readings) == 4


UNSOUND: list[dict[str, Any]] = [
    {"keys": [PRIVATE]},
    {"keys": [{**PRIVATE, "use": "enc"}]},
    {"keys": []},
    {"keys": "none"},
    {},
]


@pytest.mark.parametrize("where", ["jwks", "app"])
@pytest.mark.parametrize("unsound", UNSOUND)
async def test_keys_that_the_check_refuses_prove_nothing_in_a_worker(where: str, unsound: dict[str, Any]) -> None:
    """The check keeps such settings from ever reaching a worker; it would not believe in them either."""
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    settings = document(forge, **{where: unsound})
    with pytest.raises(DidNotStart):
        async with worker(settings, clock, tried=False):
            pass
    async with worker(settings, clock) as sts:
        if where == "jwks":
            answer = await sts.json(subject_token=forge.jwt(), audience=API)
        else:
            proof = forge.jwt(iss="app", sub="app", aud=ISSUER)
            answer = await sts.form(subject_token=forge.jwt(), audience=API, client_assertion=proof, client_assertion_type=JWT_BEARER)
        # What is no key set at all is our own fault, and never a caller's.
        assert answer.status_code in ((400, 401) if isinstance(unsound.get("keys"), list) else (503,)), answer.text
        assert "access_token" not in answer.text


async def test_a_private_key_in_the_settings_proves_nothing_to_its_holder() -> None:
    """Whoever read the settings has it, and signs with it."""
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    private = {**forge.key.as_dict(private=True), "kid": forge.kid}
    async with worker(document(forge, jwks={"keys": [private]}), clock) as sts:
        answer = await sts.json(subject_token=forge.jwt(), audience=API)
    assert answer.status_code == 400
