"""Delegation over HTTP: a second identity is proved, chains nest, and whoever may not act gets nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher

from cambist.compact import Compact
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT

API = "https://api.target.example.com"
APPLICATION = {
    "secret_hash": PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("s3cret"),
    "identities": [{"issuer": "https://issuer.example.test", "subject": "robot"}],
}
WHO: dict[str, Any] = {"client_id": "ci", "client_secret": "s3cret"}


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Running, Forge]]:
    clock = MovableClock()
    forge = Forge("https://issuer.example.test", ISSUER, clock)
    modules: dict[str, Any] = {"trusting": Trusting(forge)}
    async with open_sts({"authenticates": [JWT], "applications": {"ci": APPLICATION}}, modules=modules, clock=clock) as running:
        yield running, forge


def claims(answered: Any) -> dict[str, Any]:
    assert answered.status_code == 200, answered.text
    return dict(Compact.parse(answered.json()["access_token"]).claims)


@pytest.mark.row("J-actor")
async def test_an_actor_proves_a_second_identity_and_needs_no_type() -> None:
    """Decisions 2 to 4, TX-05, TX-24: `sub` stays the subject's."""
    async with opened() as (running, forge):
        answered = await running.json(subject_token=forge.jwt(), audience=API, actor_token=forge.jwt(sub="robot"), **WHO)
        token = claims(answered)
        assert token["sub"].endswith("/subject/workload-1")
        assert set(token["act"]) == {"sub"}
        assert token["act"]["sub"].endswith("/subject/robot")
        assert token["obo"] == [token["sub"]]
        explicit = await running.json(
            subject_token=forge.jwt(), audience=API, actor_token=forge.jwt(sub="robot"), actor_token_type="jwt", **WHO
        )
        assert explicit.json()["reason"] == "token_type_unknown"


@pytest.mark.row("J-actor")
async def test_chains_are_nested_latest_outermost_and_keep_their_transaction() -> None:
    """TX-26, TX-44."""
    async with opened() as (running, forge):
        first = claims(await running.json(subject_token=forge.jwt(act={"sub": "early"}), audience=API))
        robot = forge.jwt(sub="robot")
        hop = await running.json(subject_token=forge.jwt(act={"sub": "early"}), audience=ISSUER, actor_token=robot, **WHO)
        own = hop.json()["access_token"]
        last = await running.json(subject_token=own, audience=API, **WHO)
        assert first["act"]["sub"].endswith("/early")
        assert claims(last)["act"] == claims(hop)["act"]
        assert claims(last)["act"]["sub"].endswith("/robot")
        assert claims(last)["act"]["act"]["sub"].endswith("/early")
        assert claims(last)["txn"] == claims(hop)["txn"] == hop.headers["cambist-decision-id"]
        assert [name.rpartition("/")[2] for name in claims(last)["obo"]] == ["workload-1", "early"]
        again = await running.json(subject_token=own, audience=API, actor_token=robot, **WHO)
        assert (again.status_code, again.json()["reason"]) == (403, "delegation_chain_refused")


@pytest.mark.row("J-actor")
@pytest.mark.parametrize(
    ("subject", "actor", "reason"),
    [
        ({"may_act": {"sub": "other"}}, {"sub": "robot"}, "actor_not_permitted"),
        ({"may_act": {"sub": "robot", "iss": "https://other.test"}}, {"sub": "robot"}, "actor_not_permitted"),
        ({"may_act": {"sub": "robot"}}, None, "actor_not_permitted"),
        ({"may_act": {"sub": "robot", "acr": "high"}}, {"sub": "robot"}, "credential_rejected"),
        ({}, {"sub": "somebody"}, "actor_not_permitted"),
        ({}, {"sub": "robot", "exp": 1}, "credential_expired"),
        ({}, {"sub": "robot", "aud": "https://other.test"}, "audience_mismatch"),
        ({}, {"sub": "robot", "act": {"sub": "x"}}, "delegation_chain_refused"),
        ({"sub": "robot"}, {"sub": "robot"}, "delegation_chain_refused"),
        ({"act": {"sub": "1", "act": {"sub": "2", "act": {"sub": "3", "act": {"sub": "4", "act": {"sub": "5"}}}}}}, {"sub": "robot"}, None),
    ],
)
async def test_an_actor_that_may_not_act_gets_nothing(subject: dict[str, Any], actor: dict[str, Any] | None, reason: str | None) -> None:
    """E1 to E4: above all not an impersonation instead."""
    async with opened() as (running, forge):
        token = forge.jwt(**actor) if actor else None
        refused = await running.json(subject_token=forge.jwt(**subject), audience=API, actor_token=token, **WHO)
        assert refused.status_code in (400, 403)
        assert refused.json()["reason"] == (reason or "delegation_chain_refused")
