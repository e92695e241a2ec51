"""`keys-file` in a whole service: tokens verify by the published keys, before, during and after a rotation, and after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, KeySetSerialization

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.testing.service import ISSUER

pytestmark = pytest.mark.row("P-keys-file")

KEK = "c7" * 32
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"


def settings(folder: Path, forge: Forge, **changes: Any) -> dict[str, Any]:
    return {
        "authenticates": [JWT_TYPE],
        "resources": {TARGET: {}},
        "plugins": {
            "keys-file": {"directory": str(folder / "keys"), "kek": KEK, **changes},
            "jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]},
        },
    }


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge("https://idp.example.test", ISSUER, clock)


async def token(running: Running, forge: Forge) -> str:
    answer = await running.form(subject_token=forge.jwt(), audience=TARGET)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def jwks(running: Running, zone: str = "default") -> KeySetSerialization:
    answer = await running.http.get("/.well-known/jwks.json", params={"zone_id": zone})
    assert answer.status_code == 200
    found: KeySetSerialization = answer.json()
    return found


def verified(text: str, published: KeySetSerialization, alg: str = "ES256") -> str:
    """The kid of a token that a stock JOSE library has verified."""
    found = jwt.decode(text, KeySet.import_key_set(published), algorithms=[alg])
    assert found.claims["iss"] == ISSUER
    return str(found.header["kid"])


@pytest.mark.parametrize("alg", ["ES256", "ES384", "RS256", "PS256", "Ed25519"])
async def test_an_exchanged_token_verifies_by_the_published_keys(tmp_path: Path, clock: MovableClock, forge: Forge, alg: str) -> None:
    async with open_sts(settings(tmp_path, forge, algorithm=alg), clock=clock) as running:
        published = await jwks(running)
        assert verified(await token(running, forge), published, alg) == published["keys"][0]["kid"]
        assert (await running.http.get("/ready")).json()["checks"]["keys-file"] == "ok"


async def test_a_cached_key_set_outlasts_a_rotation(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        before, early = await jwks(running), await token(running, forge)
        done = await running.sts.keys.rotate("default")
        clock.move(300)
        assert verified(await token(running, forge), before) != done.kid
        after = await jwks(running)
        clock.move(60)
        late = await token(running, forge)
        assert verified(late, after) == done.kid
        assert verified(early, await jwks(running)) != done.kid


async def test_a_token_outlives_a_restart(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        text = await token(running, forge)
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        verified(text, await jwks(running))


async def test_another_zone_has_other_keys(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    document = {**settings(tmp_path, forge), "zones": {"blue": {}}}
    async with open_sts(document, clock=clock) as running:
        default, blue = await jwks(running), await jwks(running, "blue")
        assert not {key["kid"] for key in default["keys"]} & {key["kid"] for key in blue["keys"]}
        assert (await running.http.get("/.well-known/jwks.json?zone_id=green")).status_code == 404
        assert sorted(path.name for path in (tmp_path / "keys").glob("*.json")) == ["blue.json", "default.json"]


async def test_a_broken_file_is_503_and_tells_the_caller_nothing(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        await token(running, forge)
        file = tmp_path / "keys" / "default.json"
        file.write_bytes(file.read_bytes().replace(b'"ES256"', b'"ES384"'))
        clock.move(1)
        answer = await running.form(subject_token=forge.jwt(), audience=TARGET)
        assert answer.status_code == 503
        assert answer.json()["reason"] == "temporarily_unavailable"
        assert "seal" not in answer.text
        assert str(tmp_path) not in answer.text
        assert (await running.http.get("/.well-known/jwks.json")).status_code == 503


async def test_loose_permissions_keep_the_service_shut(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(DidNotStart) as shut:
        async with open_sts(settings(tmp_path, forge), clock=clock):
            pass
    assert f"{tmp_path}/keys is open to others (mode 0755): chmod 700 {tmp_path}/keys" in str(shut.value)


async def test_another_kek_keeps_the_service_shut(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        await token(running, forge)
    with pytest.raises(DidNotStart) as shut:
        async with open_sts(settings(tmp_path, forge, kek="ff" * 32), clock=clock):
            pass
    assert "the key file of zone default; cause: it was written under another KEK" in str(shut.value)


async def test_a_short_kek_keeps_the_service_shut_and_is_not_told(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    with pytest.raises(DidNotStart) as shut:
        async with open_sts(settings(tmp_path, forge, kek="tiger-123"), clock=clock):
            pass
    assert "plugins.keys-file.kek: " in str(shut.value)
    assert "openssl rand -hex 32" in str(shut.value)
    assert "tiger" not in str(shut.value)


async def test_a_kek_comes_from_the_environment(tmp_path: Path, clock: MovableClock, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", KEK)
    async with open_sts(settings(tmp_path, forge, kek={"env": "CAMBIST_KEK"}), clock=clock) as running:
        verified(await token(running, forge), await jwks(running))


async def test_without_any_kek_the_service_stays_shut_and_says_how_to_make_one(
    tmp_path: Path, clock: MovableClock, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAMBIST_KEK", raising=False)
    document = settings(tmp_path, forge)
    del document["plugins"]["keys-file"]["kek"]
    with pytest.raises(DidNotStart) as shut:
        async with open_sts(document, clock=clock):
            pass
    said = "kek: required, here or as the environment variable CAMBIST_KEK; make one with: openssl rand -hex 32"
    assert f"plugins.keys-file: {said}" in str(shut.value)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("CAMBIST_KEK", KEK)
    async with open_sts(document, clock=clock) as running:
        verified(await token(running, forge), await jwks(running))


async def test_a_new_key_waits_for_as_long_as_the_key_set_may_be_kept(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    document = {**settings(tmp_path, forge), "jwks_max_age": 20, "zones": {"blue": {"max_ttl": 7200}}}
    async with open_sts(document, clock=clock) as running:
        early = await token(running, forge)
        done = await running.sts.keys.rotate("default")
        answer = await running.http.get("/.well-known/jwks.json")
        assert (answer.headers["cache-control"], done.signs_from) == ("public, max-age=20, must-revalidate", clock() + 80)
        clock.move(80 + 7260 - 1)
        assert verified(early, await jwks(running)) != done.kid, "a token of the zone with the longest lifetime may still be alive"
        clock.move(1)
        assert [key["kid"] for key in (await jwks(running))["keys"]] == [done.kid]


async def test_a_schedule_that_leaves_no_time_to_wait_keeps_the_service_shut(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    with pytest.raises(DidNotStart) as shut:
        async with open_sts(settings(tmp_path, forge, rotate_every=60), clock=clock):
            pass
    assert "rotate_every must be at least 720: a new key waits 360 seconds before it signs" in str(shut.value)


async def test_a_schedule_runs_beside_the_requests_and_is_in_ready(tmp_path: Path, clock: MovableClock, forge: Forge) -> None:
    async with open_sts(settings(tmp_path, forge, rotate_every=86_400), clock=clock) as running:
        await token(running, forge)
        checks = (await running.http.get("/ready")).json()["checks"]
        assert checks["keys-file: rotation"] == "ok"
    async with open_sts(settings(tmp_path, forge), clock=clock) as running:
        assert "keys-file: rotation" not in (await running.http.get("/ready")).json()["checks"]
