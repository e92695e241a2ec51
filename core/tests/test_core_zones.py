"""A zone is a boundary: what proves, permits, signs and is spent in one means nothing in another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cambist import Permit
from cambist.client_assertion import JWT_BEARER
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT

API = "https://api.example.test"
SHOP = "https://sts.example.test/z/shop"
ACTION = {"htm": "GET", "htu": API, "nonce": "n-1"}
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHES = {name: HASHER.hash(f"{name}-secret") for name in ("default", "shop")}


class Zones:
    """An open service with two zones that have nothing in common but the process."""

    def __init__(self, running: Running, clock: MovableClock) -> None:
        self.running, self.clock = running, clock
        self.issuers = {"default": ISSUER, "shop": SHOP}
        self.trusted: dict[str, Forge] = {}
        self.signers: dict[str, Forge] = {}

    def proof(self, of: str, audience: str) -> dict[str, Any]:
        claims: dict[str, Any] = {"sub": f"{of}-signer", "exp": int(self.clock()) + 60, "aud": audience}
        return {"client_assertion": self.signers[of].jwt(**claims), "client_assertion_type": JWT_BEARER}

    async def ask(self, zone: str, token: str, **more: Any) -> httpx.Response:
        named = {} if zone == "default" else {"zone_id": zone}
        return await self.running.json(**{"subject_token": token, "audience": API, **named, **more})


@asynccontextmanager
async def two(issuer: str = SHOP) -> AsyncIterator[Zones]:
    clock = MovableClock()
    issuers = {"default": ISSUER, "shop": issuer}
    trusted = {name: Forge(f"https://{name}-issuer.test", url, clock) for name, url in issuers.items()}
    signers = {name: Forge(f"{name}-signer", url, clock) for name, url in issuers.items()}
    settings: dict[str, dict[str, Any]] = {
        name: {
            "authenticates": [JWT],
            "applications": {f"{name}-ci": {"secret_hash": HASHES[name]}, f"{name}-signer": {"jwks": signers[name].jwks}},
            "resources": {f"{name}-api": {}},
        }
        for name in issuers
    }
    modules: dict[str, Any] = {name: Trusting(forge, zone=name) for name, forge in trusted.items()}
    document = {**settings["default"], "zones": {"shop": {"issuer": issuer, **settings["shop"]}}}
    async with open_sts(document, modules=modules, clock=clock) as running:
        zones = Zones(running, clock)
        zones.trusted, zones.signers = trusted, signers
        yield zones


def claims(answered: httpx.Response) -> dict[str, Any]:
    assert answered.status_code == 200, answered.text
    return dict(Compact.parse(answered.json()["access_token"]).claims)


async def published(zones: Zones, query: str) -> KeySet:
    return KeySet.import_key_set((await zones.running.http.get(f"/.well-known/jwks.json{query}")).json())


@pytest.mark.row("F-zone")
async def test_each_zone_mints_in_its_own_name() -> None:
    async with two() as zones:
        for name, root in (("default", "wimse://sts.example.test/"), ("shop", "wimse://shop.sts.example.test/")):
            token = claims(await zones.ask(name, zones.trusted[name].jwt()))
            assert (token["iss"], token["zone_id"]) == (zones.issuers[name], name)
            assert token["sub"].startswith(root)


@pytest.mark.row("F-zone")
@pytest.mark.parametrize(("mine", "other"), [("default", "shop"), ("shop", "default")])
async def test_what_proves_in_one_zone_proves_nothing_in_the_other(mine: str, other: str) -> None:
    async with two() as zones:
        subject = zones.trusted[mine].jwt
        audience = zones.issuers[mine]
        secret = {"client_id": f"{other}-ci", "client_secret": f"{other}-secret"}
        for proof, accepted in (
            ({"client_id": f"{mine}-ci", "client_secret": f"{mine}-secret"}, True),
            (zones.proof(mine, audience), True),
            (secret, False),
            (zones.proof(other, zones.issuers[other]), False),
            (zones.proof(other, audience), False),
        ):
            answered = await zones.ask(mine, subject(), **proof)
            assert answered.json().get("reason") == (None if accepted else "client_authentication_failed")
        foreign = await zones.ask(mine, zones.trusted[other].jwt(aud=[ISSUER, SHOP]))
        assert (foreign.status_code, foreign.json()["reason"]) == (400, "issuer_not_trusted")
        audienced = await zones.ask(mine, zones.trusted[mine].jwt(aud=zones.issuers[other]))
        assert (audienced.status_code, audienced.json()["reason"]) == (400, "audience_mismatch")
        resource = await zones.ask(mine, subject(), audience=f"{other}-api")
        assert (resource.status_code, resource.json()["reason"]) == (400, "target_invalid")


@pytest.mark.row("F-zone")
@pytest.mark.parametrize("issuer", [SHOP, ISSUER])
async def test_a_token_of_one_zone_is_none_in_another_even_under_one_issuer(issuer: str) -> None:
    """Decision 20: a zone's issuer may be the service's; its keys are its own."""
    async with two(issuer) as zones:
        tokens = {}
        for name, url in (("default", ISSUER), ("shop", issuer)):
            tokens[name] = (await zones.ask(name, zones.trusted[name].jwt(), audience=url)).json()["access_token"]
        proofs: dict[str, dict[str, Any]] = {
            name: {"client_id": f"{name}-ci", "client_secret": f"{name}-secret"} for name in ("default", "shop")
        }
        for name, other in (("default", "shop"), ("shop", "default")):
            assert claims(await zones.ask(name, tokens[name], **proofs[name]))["zone_id"] == name
            refused = await zones.ask(name, tokens[other], **proofs[name])
            assert refused.json()["reason"] == ("key_unknown" if issuer == ISSUER else "issuer_not_trusted")


@pytest.mark.row("F-jwks")
@pytest.mark.row("F-zone")
@pytest.mark.parametrize("issuer", [SHOP, ISSUER])
async def test_a_stock_verifier_of_one_zone_never_accepts_a_token_of_another(issuer: str) -> None:
    async with two(issuer) as zones:
        keys = {"default": await published(zones, ""), "shop": await published(zones, "?zone_id=shop")}
        for name, other in (("default", "shop"), ("shop", "default")):
            token = (await zones.ask(name, zones.trusted[name].jwt())).json()["access_token"]
            assert jwt.decode(token, keys[name], algorithms=["ES256"]).claims["zone_id"] == name
            with pytest.raises((JoseError, ValueError)):
                jwt.decode(token, keys[other], algorithms=["ES256"])


@pytest.mark.row("F-zone")
async def test_a_nonce_that_was_spent_in_one_zone_is_fresh_in_another() -> None:
    async with two() as zones:
        for name in ("default", "shop"):
            token = zones.trusted[name].jwt(sub="same")
            assert (await zones.ask(name, token, execution_scope=ACTION)).status_code == 200
            assert (await zones.ask(name, token, execution_scope=ACTION)).json()["reason"] == "replayed"


@pytest.mark.row("F-zone")
async def test_each_zone_asks_its_own_policy() -> None:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    scripted = {name: Scripted(Permit(scope=frozenset({name}))) for name in ("one", "two")}
    for name, policy in scripted.items():
        policy.name = name
    modules = {"trusting": Trusting(forge), **scripted}
    document = {"authenticates": [JWT], "policy": "one", "zones": {"b": {"authenticates": [JWT], "policy": "two"}}}
    async with open_sts(document, modules=modules, clock=clock) as running:
        for zone, scope in (("default", "one"), ("b", "two")):
            answered = await running.form(subject_token=forge.jwt(), audience=API, scope="one two", zone_id=zone)
            assert answered.json()["scope"] == scope
    assert [len(policy.asked) for policy in scripted.values()] == [1, 1]
    assert [policy.asked[0].zone.id for policy in scripted.values()] == ["default", "b"]


async def test_a_zone_that_does_not_exist_is_told_alike_everywhere() -> None:
    async with two() as zones:
        for name in ("nowhere", "Default", "../default", "default/"):
            for answered in (
                await zones.ask(name, zones.trusted["default"].jwt()),
                await zones.running.form(subject_token="x", audience=API, zone_id=name),
            ):
                assert (answered.status_code, answered.json()["reason"]) == (400, "zone_unknown")
    assert zones.running.sts.zones.opened == ()


# ── the key set ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("F-jwks")
async def test_a_key_set_is_one_zones_and_never_a_union() -> None:
    """Decision 20."""
    async with two() as zones:
        found = {}
        for query in ("", "?zone_id=", "?zone_id=default", "?zone_id=shop"):
            answered = await zones.running.http.get(f"/.well-known/jwks.json{query}")
            (key,) = answered.json()["keys"]
            assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
            assert answered.headers["content-type"] == "application/json"
            assert "max-age=300" in answered.headers["cache-control"]
            found[query] = key["kid"]
    assert found[""] == found["?zone_id="] == found["?zone_id=default"] != found["?zone_id=shop"]


@pytest.mark.row("F-jwks")
async def test_a_new_key_is_published_beside_the_old_one_and_the_old_tokens_still_verify() -> None:
    async with two() as zones:
        token = (await zones.ask("shop", zones.trusted["shop"].jwt())).json()["access_token"]
        await zones.running.sts.keys.rotate("shop")
        keys = await published(zones, "?zone_id=shop")
        assert len(keys.keys) == 2
        assert jwt.decode(token, keys, algorithms=["ES256"]).claims["zone_id"] == "shop"
        assert len((await published(zones, "")).keys) == 1


@pytest.mark.row("F-jwks")
async def test_what_is_asked_wrongly_of_the_key_set_is_refused_and_not_kept() -> None:
    async with two() as zones:
        unknown = await zones.running.http.get("/.well-known/jwks.json?zone_id=nowhere", headers={"x-request-id": "r-1"})
        assert (unknown.status_code, unknown.json()["reason"], unknown.json()["request_id"]) == (404, "zone_unknown", "r-1")
        for query in ("zone_id=shop&zone_id=shop", "zone_id=shop&zone_id=default", "&".join(["a=1"] * 21)):
            refused = await zones.running.http.get(f"/.well-known/jwks.json?{query}")
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
            assert refused.headers["cache-control"] == unknown.headers["cache-control"] == "no-store"
