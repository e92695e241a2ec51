"""From a token file to an API: `cambist.client` fetches from a real service, and `cambist.verify` judges what it got."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from cambist.client import AsyncClient, Client, ExchangeRefused, by_assertion, by_secret
from cambist.client_secret import hash_secret
from cambist.compact import Compact
from cambist.jwks import REFETCH_FLOOR
from cambist.testing import Forge, Served, SharedClock, serve
from cambist.token_type import JWT
from cambist.verify import Protected, SpentHere, Verifier
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from cambist_keys_file.testing import KEK, kept

API = "https://api.example.test"
SECRET = "a long random secret"


@dataclass(frozen=True)
class Stage:
    """A service of two workers, its clock, and a workload with its token in a file."""

    served: Served
    folder: Path
    clock: SharedClock
    workload: Forge
    issuer: str

    @property
    def token_file(self) -> Path:
        path = self.folder / "token"
        path.write_text(self.workload.jwt() + "\n")
        return path

    @asynccontextmanager
    async def api(self, zone: str = "default") -> AsyncIterator[httpx.AsyncClient]:
        """A protected API: it answers who called it."""
        verifier = Verifier(issuer=self.issuer, audience=API, zone=zone, spent=SpentHere(self.clock), clock=self.clock)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = json.dumps({"subject": scope["cambist.token"].subject}).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

        protected = httpx.ASGITransport(Protected(app, verifier, scope={"read"}, url=API))
        async with httpx.AsyncClient(transport=protected, base_url="http://api") as http:
            yield http


@dataclass(frozen=True)
class Key:
    """An application's own key, in a file, and the half of it that the service knows."""

    path: Path
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "shop-1", "alg": "ES256"}))

    def jwks(self) -> dict[str, Any]:
        self.path.write_text(json.dumps(self.key.as_dict(private=True)))
        return {"keys": [self.key.as_dict(private=False)]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("apis")


@pytest.fixture(scope="module")
def stage(folder: Path) -> Iterator[Stage]:
    clock = SharedClock()
    workload = Forge("https://ci.example.test", "https://sts.example.test", clock)
    grants = [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]
    zone = {"authenticates": [JWT], "plugins": {"jwt": _trust(workload), "scripted": {}}}
    settings = {
        "authenticates": [JWT],
        "applications": {
            "shop": {"jwks": Key(folder / "key.json").jwks(), "grants": grants},
            "till": {"secret_hash": hash_secret(SECRET), "grants": grants},
        },
        "plugins": {
            "jwt": _trust(workload),
            "scripted": {},
            "keys-file": {"directory": str(folder / "keys"), "kek": KEK},
            "sqlite": {"path": str(folder / "store")},
        },
        "zones": {"acme": zone},
    }
    modules = {"scripted": "cambist.testing.policies:AllowAll"}
    with serve(settings, clock=clock, workers=2, modules=modules) as served:
        yield Stage(served, folder, clock, workload, f"http://localhost:{served.port}")


def _trust(workload: Forge) -> dict[str, Any]:
    return {"issuers": [{"issuer": workload.issuer, "jwks": workload.jwks, "audience": [workload.audience]}]}


@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_a_token_that_was_fetched_by_threads_opens_the_api_and_no_other(stage: Stage, dialect: Any) -> None:
    with Client(stage.issuer, subject=stage.token_file, dialect=dialect) as client:
        good = await asyncio.to_thread(client.token, audience=API, scope="read")
        other = await asyncio.to_thread(client.token, audience="https://other.example.test", scope="read")
    async with stage.api() as api:
        answer = await api.get("/", headers={"authorization": good.authorization})
        assert answer.json() == {"subject": "wimse://localhost/issuer/https_3a_2f_2fci.example.test/subject/workload-1"}
        refused = await api.get("/", headers={"authorization": other.authorization})
        assert (refused.status_code, refused.json()["reason"]) == (401, "audience_mismatch")
        unchanged = await api.get("/", headers={"authorization": f"Bearer {stage.workload.jwt()}"})
        assert unchanged.json()["reason"] == "token_kind_mismatch"


async def test_a_refusal_of_the_service_is_told_with_its_decision(stage: Stage) -> None:
    async with AsyncClient(stage.issuer, subject=stage.workload.jwt(aud="https://other.example.test")) as client:
        with pytest.raises(ExchangeRefused) as caught:
            await client.token(audience=API)
    assert (caught.value.reason, bool(caught.value.hint), bool(caught.value.decision_id)) == ("audience_mismatch", True, True)


@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_an_application_proves_itself_by_its_key_or_by_its_secret(stage: Stage, dialect: Any) -> None:
    shop = by_assertion("shop", stage.folder / "key.json", stage.issuer, clock=stage.clock)
    for application in (shop, by_secret("till", SECRET), by_secret("till", SECRET, in_body=True)):
        async with AsyncClient(stage.issuer, subject=stage.token_file, application=application, dialect=dialect) as client:
            first, second = await client.exchange(audience=API), await client.exchange(audience=API)
        assert first.access_token != second.access_token
        assert Compact.parse(first.access_token).claims["client_id"].endswith(application.client_id)


async def test_an_application_fetches_a_token_of_its_own(stage: Stage) -> None:
    async with AsyncClient(stage.issuer, application=by_secret("till", SECRET)) as client, stage.api() as api:
        token = await client.token(audience=API, scope="read")
        answer = await api.get("/", headers={"authorization": token.authorization})
    assert answer.json() == {"subject": "wimse://localhost/application/till"}


async def test_a_token_of_one_zone_opens_nothing_in_another(stage: Stage) -> None:
    async with AsyncClient(stage.issuer, subject=stage.token_file, zone="acme") as client:
        token = await client.token(audience=API, scope="read")
    async with stage.api("acme") as theirs, stage.api() as ours:
        headers = {"authorization": token.authorization}
        assert (await theirs.get("/", headers=headers)).status_code == 200
        assert (await ours.get("/", headers=headers)).json()["reason"] == "key_unknown"


async def test_a_token_for_one_request_opens_the_api_for_it_and_once(stage: Stage) -> None:
    body = b'{"amount": 100}'
    execution = {
        "htm": "POST",
        "htu": f"{API}/payments",
        "nonce": f"n-{time.monotonic_ns()}",
        "payload_hash": urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("="),
    }
    async with AsyncClient(stage.issuer, subject=stage.token_file, dialect="json") as client, stage.api() as api:
        token = await client.token(audience=API, scope="read", execution=execution)
        headers = {"authorization": token.authorization}
        assert (await api.post("/payments", content=body + b" ", headers=headers)).json()["reason"] == "execution_mismatch"
        assert (await api.post("/payments", content=body, headers=headers)).status_code == 200
        assert (await api.post("/payments", content=body, headers=headers)).json()["reason"] == "replayed"


async def test_a_key_that_was_withdrawn_opens_nothing_and_the_new_one_does_without_a_restart(stage: Stage) -> None:
    async with AsyncClient(stage.issuer, subject=stage.token_file, clock=stage.clock) as client, stage.api() as api:
        old = await client.exchange(audience=API, scope="read")
        assert (await api.get("/", headers={"authorization": old.authorization})).status_code == 200
        rotation = await kept(stage.folder, stage.clock).rotate("default", compromised=True)
        new = await client.exchange(audience=API, scope="read")
        deadline = time.monotonic() + 20
        while Compact.parse(new.access_token).header["kid"] != rotation.kid:
            assert time.monotonic() < deadline
            stage.clock.move(1)  # a worker looks for new keys each second
            new = await client.exchange(audience=API, scope="read")
        stage.clock.move(REFETCH_FLOOR)
        deadline = time.monotonic() + 20
        while (answer := await api.get("/", headers={"authorization": new.authorization})).status_code != 200:
            # The worker that was asked for the keys had not noticed yet; a verifier asks again after a while.
            assert (answer.json()["reason"], time.monotonic() < deadline) == ("key_unknown", True)
            stage.clock.move(REFETCH_FLOOR)
        assert (await api.get("/", headers={"authorization": old.authorization})).json()["reason"] in ("key_unknown", "credential_expired")
