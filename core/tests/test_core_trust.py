"""An issuer's keys in a whole service: through an outage, after quiet hours, in readiness, and until they are let go of."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from cambist import Credential, DidNotStart, Expected, Proven, Unavailable, Unverified, Validator, ZoneHost, hookimpl
from cambist.credential import Role
from cambist.jwks import PATIENCE
from cambist.jwts import Jwts
from cambist.settings import parse
from cambist.sts import Sts
from cambist.testing import ISSUER as STS
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.token_type import JWT

FOREIGN, KEYS, API = "https://issuer.example", "https://issuer.example/keys", "https://api.example.test"


@dataclass(frozen=True)
class Remote:
    """A plugin module that trusts one issuer whose keys are behind a URL, as `jwt` would."""

    issuer: str = FOREIGN
    zones: tuple[str, ...] = ("default",)

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        if host.zone.id in self.zones:
            yield RemoteValidator(self.issuer, host.jwts)


class RemoteValidator:
    token_types = frozenset({JWT})

    def __init__(self, issuer: str, jwts: Jwts) -> None:
        keys = jwts.keys(issuer, jwks_url=f"{issuer}/keys")
        self._jwts, self.issuers = jwts, frozenset({issuer})
        self._expected = Expected(issuer=issuer, keys=keys, algorithms=frozenset({"ES256"}))

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self.issuers

    async def validate(self, credential: Credential) -> Proven:
        return (await self._jwts.verify(credential.token, self._expected)).proven()


@dataclass
class Issuer:
    """Publishes keys, unless it is down, in one way or another."""

    forge: Forge
    down: str | None = None
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.down == "silent":
            await asyncio.sleep(60)
        if self.down == "unreachable":
            raise httpx.ConnectError("no route")
        return httpx.Response(503) if self.down else httpx.Response(200, json=self.forge.jwks)


@asynccontextmanager
async def trusting(clock: MovableClock, issuer: Issuer, **settings: Any) -> AsyncIterator[Running]:
    modules = {"remote": Remote()}
    document = {"authenticates": [JWT], "resources": {API: {}}, **settings}
    async with open_sts(document, modules=modules, clock=clock, transport=httpx.MockTransport(issuer)) as running:
        yield running


async def exchanged(running: Running, forge: Forge, **claims: Any) -> httpx.Response:
    return await running.form(subject_token=forge.jwt(**claims), resource=API)


@pytest.mark.parametrize("down", ["silent", "unreachable", "failing"])
async def test_an_outage_of_ten_minutes_fails_no_exchange_and_is_told_in_readiness(down: str) -> None:
    clock = MovableClock()
    forge = Forge(FOREIGN, STS, clock)
    issuer = Issuer(forge)
    async with trusting(clock, issuer, egress={"timeout": 0.2}) as running:
        assert (await exchanged(running, forge)).status_code == 200
        assert "warnings" not in (await running.http.get("/ready")).json()
        issuer.down = down
        clock.move(299)
        for _ in range(60):
            clock.move(10)
            async with asyncio.timeout(PATIENCE):
                answered = await exchanged(running, forge)
            assert answered.status_code == 200, answered.text
        await asyncio.sleep(0.25)  # the attempt that is under way ends
        ready = await running.http.get("/ready")
        assert ready.status_code == 200  # an issuer that is down does not take the service with it
        told = ready.json()
        assert told["status"] == "ok"
        assert told["warnings"][f"keys of {FOREIGN}"].startswith("last good 899 seconds ago: ")
        issuer.down = None
        clock.move(10)
        assert (await exchanged(running, forge)).status_code == 200
        await asyncio.sleep(0)
        assert "warnings" not in (await running.http.get("/ready")).json()


async def test_last_good_keys_end_after_the_time_that_is_set() -> None:
    clock = MovableClock()
    forge = Forge(FOREIGN, STS, clock)
    issuer = Issuer(forge)
    async with trusting(clock, issuer, egress={"keys_kept": 600}) as running:
        await exchanged(running, forge)
        issuer.down = "failing"
        clock.move(600)
        assert (await exchanged(running, forge)).status_code == 200
        clock.move(5)
        answered = await exchanged(running, forge)
        assert (answered.status_code, answered.json()["reason"]) == (503, "temporarily_unavailable")


async def test_the_first_token_after_quiet_hours_is_not_judged_by_keys_that_were_withdrawn_meanwhile() -> None:
    clock = MovableClock()
    old, new = Forge(FOREIGN, STS, clock), Forge(FOREIGN, STS, clock)
    issuer = Issuer(old)
    async with trusting(clock, issuer) as running:
        assert (await exchanged(running, old)).status_code == 200
        issuer.forge = new
        clock.move(3 * 3600)
        assert (await exchanged(running, old)).json()["reason"] in ("signature_invalid", "key_unknown")
        assert (await exchanged(running, new)).status_code == 200


async def test_zones_that_trust_one_issuer_ask_it_once() -> None:
    clock = MovableClock()
    forge = Forge(FOREIGN, STS, clock)
    issuer = Issuer(forge)
    zone = {"issuer": "https://other.example.test", "authenticates": [JWT], "resources": {API: {}}}
    modules = {"remote": Remote(zones=("default", "other"))}
    document = {"authenticates": [JWT], "resources": {API: {}}, "zones": {"other": zone}}
    async with open_sts(document, modules=modules, clock=clock, transport=httpx.MockTransport(issuer)) as running:
        assert (await exchanged(running, forge)).status_code == 200
        told = await running.form(subject_token=forge.jwt(aud="https://other.example.test"), resource=API, zone_id="other")
        assert told.status_code == 200, told.text
    assert issuer.asked == [KEYS]


async def test_an_issuer_that_is_removed_is_trusted_no_more_and_asked_no_more() -> None:
    """Settings are what a process starts with: the next one knows nothing of an issuer that is gone from them."""
    clock = MovableClock()
    forge, other = Forge(FOREIGN, STS, clock), Forge("https://other.example", STS, clock)
    issuer = Issuer(forge)
    async with trusting(clock, issuer) as running:
        assert (await exchanged(running, forge)).status_code == 200
    asked = len(issuer.asked)
    document = {"authenticates": [JWT], "resources": {API: {}}}
    modules = {"remote": Remote(issuer=other.issuer)}
    async with open_sts(document, modules=modules, clock=clock, transport=httpx.MockTransport(issuer)) as running:
        assert (await exchanged(running, forge)).json()["reason"] == "issuer_not_trusted"
        assert len(issuer.asked) == asked
        issuer.forge = other
        assert (await exchanged(running, other)).status_code == 200


async def test_keys_that_nobody_holds_any_more_are_forgotten_within_one_process() -> None:
    clock = MovableClock()
    forge = Forge(FOREIGN, STS, clock)
    issuer = Issuer(forge)
    issuer.down = "failing"
    async with trusting(clock, issuer) as running:
        jwts = running.sts._ground.jwts
        validator = RemoteValidator("https://other.example", jwts)
        credential = Credential(token=Forge("https://other.example", STS, clock).jwt(), token_type=JWT, role=Role.SUBJECT)
        with pytest.raises(Unavailable):
            await validator.validate(credential)
        assert list(jwts.warnings()) == ["keys of https://other.example"]
        del validator
        gc.collect()
        assert jwts.warnings() == {}


async def test_keys_of_one_issuer_at_two_places_are_warned_of_though_one_place_is_sound() -> None:
    clock = MovableClock()
    issuer = Issuer(Forge(FOREIGN, STS, clock))
    async with trusting(clock, issuer) as running:
        jwts = running.sts._ground.jwts
        sound, by_discovery = jwts.keys(FOREIGN, jwks_url=f"{FOREIGN}/keys"), jwts.keys(FOREIGN)
        await sound.find("k1", "ES256")
        with pytest.raises(Unavailable):
            await by_discovery.find("k1", "ES256")
        assert list(jwts.warnings()) == [f"keys of {FOREIGN}"]


def test_egress_is_read_from_the_settings_and_what_is_wrong_with_it_keeps_the_service_shut() -> None:
    assert parse({"issuer": STS, "egress": {"private": ["*.internal"], "keys_kept": 60}}).service.egress.private == ("*.internal",)
    wrong = {"ca_file": "/nowhere.pem", "private": ["10.0.0.0/8"], "proxy": "socks5://a:secretword@b", "keys_kept": 90_000}
    with pytest.raises(DidNotStart) as refused:
        parse({"issuer": STS, "egress": wrong})
    assert {problem.partition(":")[0] for problem in refused.value.problems} == {
        "egress.ca_file",
        "egress.private.0",
        "egress.proxy",
        "egress.keys_kept",
    }
    assert "secretword" not in str(refused.value)


async def test_a_service_without_issuers_that_are_asked_has_nothing_to_warn_of() -> None:
    async with open_sts({}) as running:
        assert running.sts.warnings() == {}
        assert isinstance(running.sts, Sts)
