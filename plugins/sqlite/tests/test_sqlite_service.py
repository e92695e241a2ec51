"""`sqlite` in a whole service: what may happen once happens once, also after a restart, and nothing is issued without the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.testing.service import ISSUER

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge("https://idp.example.test", ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, **table: Any) -> AsyncIterator[Running]:
    """A service with this store and two zones."""
    jwt = {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}
    zone = {"authenticates": [JWT_TYPE], "plugins": {"jwt": jwt}}
    store = {"path": str(folder / "store.sqlite"), **table}
    async with open_sts({**zone, "plugins": {"jwt": jwt, "sqlite": store}, "zones": {"other": zone}}, clock=forge.clock) as running:
        yield running


async def once(running: Running, forge: Forge, nonce: str, **more: Any) -> tuple[int, Mapping[str, Any]]:
    """Ask for a token that is good for one action, named by its nonce."""
    action = {"htm": "GET", "htu": f"{TARGET}/1", "nonce": nonce}
    answer = await running.json(subject_token=forge.jwt(), audience=TARGET, execution_scope=action, **more)
    return answer.status_code, answer.json()


def connection(running: Running) -> sqlite3.Connection:
    [store] = [thing for plugin, thing in running.sts.kept if plugin == "sqlite"]
    found: sqlite3.Connection = store.database.connection
    return found


async def test_a_nonce_is_accepted_once_and_not_again_after_a_restart(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        assert (await once(sts, forge, "n-1"))[0] == 200
        status, refused = await once(sts, forge, "n-1")
        assert (status, refused["reason"]) == (400, "replayed")
    async with service(tmp_path, forge) as sts:
        assert (await once(sts, forge, "n-1"))[1]["reason"] == "replayed"
        assert (await once(sts, forge, "n-2"))[0] == 200


async def test_of_twenty_at_once_one_is_accepted(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        answers = await asyncio.gather(*(once(sts, forge, "n-1") for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] + [400] * 19


async def test_a_nonce_of_one_zone_is_new_in_another(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        assert [(await once(sts, forge, "n-1", **zone))[0] for zone in ({}, {"zone_id": "other"}, {"zone_id": "other"})] == [200, 200, 400]


async def test_nothing_that_is_good_once_is_issued_while_the_store_cannot_write(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        connection(sts).execute("PRAGMA query_only = ON")
        status, refused = await once(sts, forge, "n-1")
        assert (status, refused["reason"]) == (503, "temporarily_unavailable")
        assert str(tmp_path) not in str(refused), "where the file is, is nobody's business"
        connection(sts).execute("PRAGMA query_only = OFF")
        assert (await once(sts, forge, "n-1"))[0] == 200, "the refused attempt burnt nothing"


async def test_nothing_that_is_good_once_is_issued_while_others_hold_the_file(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert (await once(sts, forge, "n-1"))[0] == 503
        other.execute("ROLLBACK")
        other.close()
        assert (await once(sts, forge, "n-1"))[0] == 200


async def test_readiness_names_the_store_and_what_is_wrong_with_it(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        checks = (await sts.http.get("/ready")).json()["checks"]
        assert {name: checks[name] for name in ("sqlite", "sqlite: fold", "sqlite: sweep")} == dict.fromkeys(
            ("sqlite", "sqlite: fold", "sqlite: sweep"), "ok"
        )
        connection(sts).execute("PRAGMA query_only = ON")
        answer = await sts.http.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["sqlite"] == "the file, or the disk it is on, is read-only"


async def test_a_service_whose_store_cannot_open_does_not_start_and_says_why(tmp_path: Path, forge: Forge) -> None:
    (tmp_path / "store.sqlite").write_text("decisions, one a line\n" * 100)
    (tmp_path / "store.sqlite").chmod(0o600)
    with pytest.raises(DidNotStart) as caught:
        async with service(tmp_path, forge):
            pass
    assert "plugins.sqlite: plugin sqlite cannot open" in str(caught.value)
    assert "the file is no SQLite database" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"path": None}, "plugins.sqlite.path"),
        ({"busy_timeout": 251}, "plugins.sqlite.busy_timeout: Input should be less than or equal to 250"),
        ({"busy_timeout": 0}, "plugins.sqlite.busy_timeout: Input should be greater than 0"),
        ({"sweep": 0}, "plugins.sqlite.sweep: Input should be greater than 0"),
        ({"swep": 10}, "plugins.sqlite.swep: unknown; did you mean sweep?"),
    ],
)
async def test_wrong_settings_are_told(tmp_path: Path, forge: Forge, table: Mapping[str, Any], told: str) -> None:
    with pytest.raises(DidNotStart) as caught:
        async with service(tmp_path, forge, **table):
            pass
    assert told in str(caught.value)
    assert list(tmp_path.iterdir()) == []
