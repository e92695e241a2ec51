"""What a refusal shows of the caller's own, so that the caller can mend it; and that it shows nothing of anybody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cambist import Deny, Permit, PolicyInput
from cambist.policy import Answer
from cambist.testing import ABSENT, ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist.token_type import JWT

API = "https://api.example.test"
CLOCK = MovableClock()
FORGE = Forge("https://issuer.example.test", ISSUER, CLOCK)
OTHER = Forge("https://other-tenant.example.test", ISSUER, CLOCK)
TRUSTED: dict[str, Any] = {"issuer": FORGE.issuer, "jwks": FORGE.jwks}


@asynccontextmanager
async def opened(
    answer: Answer | Callable[[PolicyInput], Answer] | None = None, entry: Mapping[str, Any] | None = None, **more: Any
) -> AsyncIterator[Running]:
    issuers = [{**TRUSTED, **(entry or {})}, {"issuer": OTHER.issuer, "jwks": OTHER.jwks}]
    settings = {"authenticates": [JWT], "plugins": {"jwt": {"issuers": issuers}}, **more}
    async with open_sts(settings, modules={"scripted": Scripted(answer or Permit())}, clock=CLOCK) as running:
        yield running


async def details(running: Running, **members: Any) -> Mapping[str, Any]:
    answer = await running.json(**{"subject_token": FORGE.jwt(), "audience": API, **members})
    assert answer.status_code != 200
    found: Mapping[str, Any] = answer.json()["details"]
    return found


async def test_a_missing_audience_is_told_with_the_one_that_it_should_be() -> None:
    async with opened() as running:
        assert (await details(running, subject_token=FORGE.jwt(aud=ABSENT)))["expected"] == [ISSUER]
    async with opened(entry={"audience": ["urn:ours"]}) as running:
        assert (await details(running, subject_token=FORGE.jwt(aud=ABSENT)))["expected"] == ["urn:ours"]


@pytest.mark.parametrize(
    "spelling", [f"{FORGE.issuer}/", FORGE.issuer.upper(), f"{FORGE.issuer}:443", FORGE.issuer.replace("https", "http")]
)
async def test_an_issuer_that_is_spelled_otherwise_is_told_how_it_is_spelled(spelling: str) -> None:
    async with opened() as running:
        found = await details(running, subject_token=FORGE.jwt(iss=spelling))
        assert (found["expected"], found["seen"]) == (FORGE.issuer, spelling)
        assert found["differs_in"]


@pytest.mark.parametrize(
    "issuer", ["https://nobody.example.test", f"{FORGE.issuer}.evil.test", "https://issuer.example", f"{FORGE.issuer}/realms/a"]
)
async def test_who_else_is_trusted_is_nobodys_business(issuer: str) -> None:
    async with opened() as running:
        answer = await running.json(subject_token=FORGE.jwt(iss=issuer), audience=API)
        assert "expected" not in answer.json()["details"]
        assert "other-tenant" not in answer.text


async def test_the_spelling_of_another_zones_issuer_is_not_told() -> None:
    """A zone is a boundary of trust, also for words."""
    zones = {
        "next": {
            "issuer": f"{ISSUER}/z/next",
            "plugins": {"jwt": {"issuers": [{"issuer": "https://hidden.example.test", "jwks": OTHER.jwks}]}},
        }
    }
    async with opened(zones=zones) as running:
        found = await details(running, subject_token=FORGE.jwt(iss="https://hidden.example.test/"))
        assert found["seen"] == "https://hidden.example.test/"
        assert "expected" not in found


async def test_times_are_told_by_our_clock_and_theirs() -> None:
    now = int(CLOCK())
    async with opened(entry={"leeway": 5}) as running:
        early = await details(running, subject_token=FORGE.jwt(nbf=now + 9))
        assert (early["expected"], early["seen"]["nbf"], early["seen"]["now"]) == ({"leeway": 5.0}, now + 9, now)
        assert (await details(running, subject_token=FORGE.jwt(exp=now - 1)))["seen"] == {"exp": now - 1, "now": now}


async def test_a_lifetime_and_a_signature_are_told_as_they_were_seen() -> None:
    async with opened(entry={"max_lifetime": 60}) as running:
        long = await details(running)
        assert (long["expected"], long["seen"]) == ({"max_lifetime": 60.0}, {"lifetime": 600})
    async with opened() as running:
        forged = await details(running, subject_token=Forge(FORGE.issuer, ISSUER, CLOCK).jwt())
        assert forged["seen"] == {"kid": "k1", "alg": "ES256"}


async def test_a_denial_shows_whom_and_what_the_policy_was_asked_about_and_not_why_it_said_no() -> None:
    async with opened(Deny(reasons=("rule 7 of the secret list",))) as running:
        answer = await running.json(subject_token=FORGE.jwt(sub="Job"), audience=API, scope="a b")
        seen = {"issuer": FORGE.issuer, "subject": "Job", "targets": [API], "scope": ["a", "b"]}
        assert answer.json()["details"]["seen"] == seen
        assert "rule 7" not in answer.text


async def test_a_scope_that_is_denied_is_told_with_those_that_are_not() -> None:
    def permits(question: PolicyInput) -> Permit:
        return Permit(scope=frozenset({"write", "read", "admin"}))

    async with opened(permits, resources={API: {"scopes": ["read", "write", "list"]}}) as running:
        found = await details(running, scope="delete")
        assert (found["expected"], found["seen"]) == (["read", "write"], ["delete"])


async def test_an_actor_is_told_by_the_name_by_which_it_is_compared() -> None:
    async with opened() as running:
        found = await details(running, actor_token=FORGE.jwt(sub="agent"), actor_token_type=JWT)
        assert found["seen"].endswith("/subject/agent")
        assert found["expected"].endswith("/subject/workload-1")
        token = FORGE.jwt(may_act={"sub": "someone"})
        found = await details(running, subject_token=token, actor_token=FORGE.jwt(sub="agent"), actor_token_type=JWT)
        assert (found["expected"], found["seen"]) == ("someone", "agent")


async def test_a_client_that_is_not_proved_is_told_nothing_that_it_did_not_say() -> None:
    """TE-14, ADR 0006: whether an application exists shows in no member."""
    robot = Forge("robot", ISSUER, CLOCK)
    applications = {"robot": {"jwks": robot.jwks, "algorithms": ["ES256"]}}
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    async with opened(applications=applications) as running:
        answers = []
        for forge in (Forge("robot", ISSUER, CLOCK), Forge("nobody", ISSUER, CLOCK), Forge("robot", ISSUER, CLOCK, algorithm="ES384")):
            assertion = forge.jwt(sub=forge.issuer, aud=ABSENT, exp=int(CLOCK()) + 60)
            answers.append(await details(running, client_assertion=assertion, client_assertion_type=kind))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0].keys() == {"role", "hint"}
        proved = robot.jwt(sub="robot", aud=ABSENT, exp=int(CLOCK()) + 60)
        assert (await details(running, client_assertion=proved, client_assertion_type=kind))["expected"] == [ISSUER]
