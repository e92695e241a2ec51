"""Whatever was revoked is refused at its next exchange, and so is everything that came of it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from cambist.caller import Caller
from cambist.compact import Compact
from cambist.errors import Revoked, Unavailable
from cambist.identifier import identifier
from cambist.identity import Identity, Proven
from cambist.revocation import EVERYWHERE, Kind, Revocation, Revocations
from cambist.standing import standing
from cambist.store import MemoryStore
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts, question
from cambist.testing.trusting import Trusting
from cambist.token_type import ACCESS_TOKEN, JWT
from cambist.value import replace
from cambist.zone import Application, Zone

FOREIGN = "https://issuer.example.test"
API = "https://api.target.example.com"
WHO: dict[str, Any] = {"client_id": "ci", "client_secret": "s3cret"}
APPLICATION = {
    "secret_hash": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s3cret"),
    "identities": [{"issuer": FOREIGN, "subject": "robot"}],
    "grants": ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"],
}


@dataclass
class Stage:
    running: Running
    forge: Forge

    async def ask(self, token: str | None = None, **more: Any) -> httpx.Response:
        return await self.running.json(subject_token=token or self.forge.jwt(), audience=API, **more)

    async def revoke(self, kind: Kind, *parts: str, zone: str = "default") -> Revocation:
        revocation = Revocation(zone=zone, kind=kind, parts=parts, at=1.0, reason="a test")
        await self.running.sts.revocations.revoke(revocation)
        return revocation

    def name(self, subject: str, issuer: str = FOREIGN) -> str:
        return identifier(self.running.sts.settings.zones["default"], Identity(issuer=issuer, subject=subject))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    clock = MovableClock()
    forge = Forge(FOREIGN, ISSUER, clock)
    settings = {"authenticates": [JWT, ACCESS_TOKEN], "applications": {"ci": APPLICATION}, "zones": {"other": {"authenticates": [JWT]}}}
    async with open_sts(settings, modules={"trusting": Trusting(forge)}, clock=clock) as running:
        yield Stage(running, forge)


def refused(answer: httpx.Response, role: str = "subject") -> bool:
    if answer.status_code == 200:
        return False
    assert (answer.json()["reason"], answer.json()["details"]["role"]) == ("revoked", role), answer.text
    return True


def claims(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(Compact.parse(answer.json()["access_token"]).claims)


@pytest.mark.row("P-revocation")
async def test_a_revoked_token_is_refused_and_its_siblings_are_not(stage: Stage) -> None:
    token = stage.forge.jwt(jti="one")
    assert not refused(await stage.ask(token))
    await stage.revoke(Kind.TOKEN, FOREIGN, "one")
    assert refused(await stage.ask(token))
    assert not refused(await stage.ask(stage.forge.jwt(jti="two")))


@pytest.mark.row("P-revocation")
async def test_a_revoked_subject_gets_nothing_with_any_token(stage: Stage) -> None:
    await stage.revoke(Kind.SUBJECT, stage.name("workload-1"))
    assert refused(await stage.ask())
    assert not refused(await stage.ask(stage.forge.jwt(sub="workload-2")))


@pytest.mark.row("P-revocation")
async def test_tokens_of_this_service_fall_with_the_subject_the_issuer_or_the_token_they_came_of(stage: Stage) -> None:
    """R10: children fall with parents."""
    hop = await stage.running.json(subject_token=stage.forge.jwt(), audience=ISSUER)
    own, about = hop.json()["access_token"], claims(hop)
    for kind, zone, parts in (
        (Kind.SUBJECT, "default", (stage.name("workload-1"),)),
        (Kind.ISSUER, EVERYWHERE, (FOREIGN,)),
        (Kind.TRANSACTION, "default", (about["txn"],)),
        (Kind.TOKEN, "default", (ISSUER, about["jti"])),
    ):
        assert not refused(await stage.ask(own, subject_token_type=ACCESS_TOKEN)), kind
        revocation = await stage.revoke(kind, *parts, zone=zone)
        assert refused(await stage.ask(own, subject_token_type=ACCESS_TOKEN)), kind
        await stage.running.sts.revocations.lift(revocation)


@pytest.mark.row("P-revocation")
async def test_a_distrusted_issuer_is_refused_in_every_zone(stage: Stage) -> None:
    await stage.revoke(Kind.ISSUER, FOREIGN, zone=EVERYWHERE)
    assert refused(await stage.ask())
    assert refused(await stage.ask(stage.forge.jwt(aud=ISSUER), zone_id="other"))


@pytest.mark.row("P-revocation")
async def test_a_distrusted_key_is_refused_though_its_issuer_publishes_it(stage: Stage) -> None:
    token = stage.forge.jwt()
    await stage.revoke(Kind.KEY, FOREIGN, Compact.parse(token).header["kid"], zone=EVERYWHERE)
    assert refused(await stage.ask(token))


@pytest.mark.row("P-revocation")
async def test_a_revoked_application_may_not_call_nor_be_a_subject_an_actor_or_who_asked_before(stage: Stage) -> None:
    by_secret = {**WHO, "grant_type": "client_credentials", "audience": API}
    hop = await stage.running.json(subject_token=stage.forge.jwt(), audience=ISSUER, **WHO)
    acted = await stage.running.json(subject_token=stage.forge.jwt(), audience=ISSUER, actor_token=stage.forge.jwt(sub="robot"), **WHO)
    assert not refused(await stage.running.form(**by_secret))
    await stage.revoke(Kind.APPLICATION, "ci")
    assert refused(await stage.running.form(**by_secret), "subject")
    assert refused(await stage.ask(**WHO), "client")
    assert refused(await stage.ask(stage.forge.jwt(sub="robot")))
    for answer in (hop, acted):
        assert refused(await stage.ask(answer.json()["access_token"], subject_token_type=ACCESS_TOKEN))
    assert not refused(await stage.ask())


@pytest.mark.row("P-revocation")
async def test_a_revoked_actor_is_refused_now_and_in_the_chain_of_earlier_hops(stage: Stage) -> None:
    asked = {"actor_token": stage.forge.jwt(sub="robot"), **WHO}
    hop = await stage.running.json(subject_token=stage.forge.jwt(), audience=ISSUER, **asked)
    await stage.revoke(Kind.SUBJECT, stage.name("robot"))
    assert refused(await stage.ask(**asked), "actor")
    assert refused(await stage.ask(hop.json()["access_token"], subject_token_type=ACCESS_TOKEN))
    assert refused(await stage.ask(stage.forge.jwt(act={"sub": "robot"})))


@pytest.mark.row("P-revocation")
async def test_a_zone_revokes_for_itself_alone(stage: Stage) -> None:
    await stage.revoke(Kind.TOKEN, FOREIGN, "one", zone="other")
    assert not refused(await stage.ask(stage.forge.jwt(jti="one")))


async def test_the_caller_is_not_told_what_was_revoked_and_the_ledger_is(stage: Stage) -> None:
    await stage.revoke(Kind.ISSUER, FOREIGN, zone=EVERYWHERE)
    answer = await stage.ask()
    assert "a test" not in answer.text
    (record,) = stage.running.records
    assert record.refusal is not None
    assert record.refusal.facts == {"kind": "issuer", "named": [FOREIGN], "since": 1.0, "why": "a test"}


async def test_when_the_store_is_down_nothing_is_issued(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> None:
        raise Unavailable(what="the store", cause="down")

    monkeypatch.setattr(stage.running.sts.store, "get_many", down)
    answer = await stage.ask()
    assert (answer.status_code, answer.json()["reason"]) == (503, "temporarily_unavailable")


# ── what a request names, one by one ────────────────────────────────────────────────────────────────────

ZONE = Zone(issuer=ISSUER, applications={"ci": Application()})
STRANGER = Proven(identity=Identity(issuer=FOREIGN, subject="ci"), expires_at=math.inf)


async def role_of_revoked(kind: Kind, *parts: str, **asked: Any) -> str | None:
    """In which role a question names what was revoked, or None where it does not."""
    revocations = Revocations(MemoryStore(MovableClock()))
    await revocations.revoke(Revocation(zone="default", kind=kind, parts=parts, at=1.0))
    try:
        await standing(revocations, question(zone=ZONE, **asked))
    except Revoked as revoked:
        return revoked.role
    return None


async def test_an_application_is_itself_whoever_vouches_for_it_and_its_namesake_elsewhere_is_not() -> None:
    called = Caller(id="ci", proven=STRANGER, method="a vendor's", application=ZONE.applications["ci"])
    assert await role_of_revoked(Kind.APPLICATION, "ci", client=called) == "client"
    assert await role_of_revoked(Kind.APPLICATION, "ci", client=replace(called, application=None)) is None


async def test_only_in_a_token_of_the_zone_does_client_id_say_who_asked_for_it() -> None:
    for issuer, role in ((ISSUER, "subject"), (FOREIGN, None)):
        subject = Proven(identity=Identity(issuer=issuer, subject="b", attributes={"client_id": "ci"}), expires_at=math.inf)
        caller = Caller(id="b", proven=subject, method="subject")
        assert await role_of_revoked(Kind.APPLICATION, "ci", subject=subject, client=caller) == role


async def test_a_name_of_the_zone_that_is_neither_a_party_elsewhere_nor_an_application_can_be_revoked() -> None:
    subject = Proven(identity=Identity(issuer=ISSUER, subject="wimse://sts.example.test/elsewhere"), expires_at=math.inf)
    for kind, name in ((Kind.SUBJECT, subject.identity.subject), (Kind.ISSUER, ISSUER)):
        assert await role_of_revoked(kind, name, subject=subject) == "subject"


async def test_a_proof_without_ids_is_named_by_its_party_alone() -> None:
    assert await role_of_revoked(Kind.ISSUER, FOREIGN, subject=STRANGER) == "subject"
    assert await role_of_revoked(Kind.TOKEN, FOREIGN, "j", subject=STRANGER) is None
