"""Validators that change what they were shown, or what they answered, change nothing; and one that shouts holds nobody up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from msgspec.structs import force_setattr

from cambist import Credential, Identity, Proven, Role
from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock
from cambist.testing.clock import NOON

from .stage import EVIL, GOOD, TOKEN, Judge, among_others, ask, is_refused, others_are_served, plugin, proof

TABLE = {"authenticates": [GOOD, EVIL]}
FORGE = Forge("https://evil.example.test", ISSUER, MovableClock())


def about(issuer: str) -> Any:
    return lambda credential: proof(identity=Identity(issuer=issuer, subject="ann"))


def subject(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(Compact.parse(answer.json()["access_token"]).claims["sub"]).rpartition("/")[2]


async def test_what_it_does_to_the_credential_that_it_was_shown_changes_nothing() -> None:
    def rewriting(credential: Credential) -> Proven:
        for name, value in {"role": Role.CLIENT, "token_type": GOOD, "token": "another", "wire_type": GOOD}.items():
            force_setattr(credential, name, value)
        return proof()

    async with among_others(plugin(validators=lambda host: [Judge(rewriting)]), **TABLE) as running:
        assert subject(await ask(running, EVIL)) == "ann"
        (record,) = running.records
        request, proven = record.trace.outcome("request"), record.trace.outcome("subject")
        assert (request.subject.token, request.subject.token_type, request.subject.role) == (TOKEN, EVIL, Role.SUBJECT)
        assert proven.token_type == EVIL


async def test_what_it_does_to_its_proof_afterwards_changes_nothing() -> None:
    """U5: between the judgement and the signature there is time enough."""
    kept: list[Proven] = []

    def remembering(credential: Credential) -> Proven:
        kept.append(proof(chain=(Identity(issuer="https://evil.example.test", subject="earlier"),)))
        asyncio.get_running_loop().call_soon(becoming_root)
        return kept[-1]

    def becoming_root() -> None:
        force_setattr(kept[-1], "expires_at", NOON + 10**6)
        for identity in (kept[-1].identity, *kept[-1].chain):
            force_setattr(identity, "subject", "root")

    async with among_others(plugin(validators=lambda host: [Judge(remembering)]), **TABLE) as running:
        sign = running.sts.keys.signing

        async def slow(zone_id: str) -> Any:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await sign(zone_id)

        running.sts.keys.signing = slow  # type: ignore[method-assign]  # the pause that any key store over the network makes
        answer = await ask(running, EVIL)
        assert kept[-1].identity.subject == "root", "it had no time to change its mind"
        assert subject(answer) == "ann"
        assert Compact.parse(answer.json()["access_token"]).claims["act"]["sub"].endswith("/earlier")


async def test_what_it_says_of_its_issuers_later_changes_nothing() -> None:
    """It speaks for the issuers that it named when it was seated: not for others, and not for all when it names none any more."""
    judge = Judge(about("https://good.example.test"), issuers=frozenset({FORGE.issuer}))
    async with among_others(plugin(validators=lambda host: [judge]), **TABLE) as running:
        for later in (frozenset({FORGE.issuer}), frozenset({"https://good.example.test"}), None):
            judge.issuers = later
            await is_refused(running, await ask(running, EVIL, subject_token=FORGE.jwt()), "plugin_fault")
        await others_are_served(running, "default", "other")
        judge.answer = about(FORGE.issuer)
        assert subject(await ask(running, EVIL, subject_token=FORGE.jwt())) == "ann"


async def test_what_it_does_to_the_zone_that_it_was_shown_changes_nothing() -> None:
    def generous(host: Any) -> list[Judge]:
        object.__setattr__(host.zone, "max_ttl", 10**9)
        return [Judge()]

    async with among_others(plugin(validators=generous), **TABLE) as running:
        await is_refused(running, await ask(running, EVIL, ttl_seconds=10**6), "ttl_above_cap", None)


async def test_a_flood_of_log_lines_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    """U4: nor does the service add the credential to it."""
    log = logging.getLogger("evil")

    def flooding(credential: Credential) -> Proven:
        for number in range(2_000):
            log.info("line %d", number)
        return proof()

    with caplog.at_level(logging.DEBUG):
        async with among_others(plugin(validators=lambda host: [Judge(flooding)]), **{**TABLE, "deadline": 5}) as running:
            assert subject(await ask(running, EVIL)) == "ann"
            await others_are_served(running, "default", "other")
    assert sum(record.name == "evil" for record in caplog.records) == 2_000
    assert TOKEN not in caplog.text
