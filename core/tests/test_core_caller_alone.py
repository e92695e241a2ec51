"""What the HTTP tests of callers cannot reach: the function by itself, beside a guard that proves whatever the test says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cambist import Credential, Proven, Role
from cambist.caller import Caller, authenticate, calling, subject_of
from cambist.credential import NOTHING
from cambist.errors import CallerMismatch, CallerMissing, CallerUnproved
from cambist.identity import Identity
from cambist.request import Dialect, ExchangeRequest
from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE, Application, KnownIdentity, Zone

ZONE = Zone(issuer="https://sts.test", applications={"ci": Application()})


def proven(subject: str, issuer: str = "https://sts.test") -> Proven:
    return Proven(identity=Identity(issuer=issuer, subject=subject), expires_at=math.inf)


class Believing:
    """A guard that has proved already."""

    takers: Any = None

    def __init__(self, subject: str) -> None:
        self.subject = subject

    async def prove(self, *given: object) -> Proven:
        return proven(self.subject)


def asked(**more: Any) -> ExchangeRequest:
    client = Credential(token="t", token_type="urn:x", role=Role.CLIENT)
    subject = Credential(token="t", token_type=JWT, role=Role.SUBJECT)
    return ExchangeRequest(**{"dialect": Dialect.OAUTH, "grant_type": TOKEN_EXCHANGE, "client": client, "subject": subject, **more})


async def test_a_name_that_was_proved_and_is_no_application_here_calls_nothing() -> None:
    guard: Any = Believing("removed")
    with pytest.raises(CallerUnproved) as refused:
        await authenticate(ZONE, guard, asked(), NOTHING)
    assert refused.value.facts == {"client_id": "removed"}
    guard = Believing("ci")
    found = await authenticate(ZONE, guard, asked(), NOTHING)
    assert found == Caller(id="ci", proven=proven("ci"), method="urn:x", application=ZONE.applications["ci"])


async def test_without_subject_and_caller_there_is_nobody() -> None:
    guard: Any = Believing("x")
    with pytest.raises(CallerMissing):
        await subject_of(guard, asked(subject=None), None, NOTHING, frozenset())


def test_who_calls_without_an_application_is_the_subject_by_its_name_here() -> None:
    found = calling(None, proven("a"), "wimse://a", asked())
    assert (found.id, found.proven, found.method, found.application) == ("wimse://a", proven("a"), "subject", None)
    assert calling(None, proven("a"), "wimse://a", asked(client_id="wimse://a")) == found
    assert calling(found, proven("b"), "wimse://b", asked(client_id="x")) is found
    with pytest.raises(CallerMismatch):
        calling(None, proven("a"), "wimse://a", asked(client_id="a"))


def test_an_application_is_whoever_it_is_declared_to_be_and_itself() -> None:
    known = (KnownIdentity(issuer="https://issuer.test", subject="robot"),)
    caller = Caller(id="ci", proven=proven("ci"), method="m", application=Application(identities=known))
    alone = Caller(id="ci", proven=proven("ci"), method="m")
    for issuer, subject, declared, itself in (
        ("https://sts.test", "ci", True, True),
        ("https://sts.test", "wimse://sts.test/application/ci", True, True),
        ("https://issuer.test", "robot", True, False),
        ("https://sts.test", "wimse://sts.test/issuer/https_3a_2f_2fissuer.test/subject/robot", True, False),
        ("https://issuer.test", "Robot", False, False),
        ("https://other.test", "robot", False, False),
        ("https://other.test", "ci", False, False),
    ):
        who = Identity(issuer=issuer, subject=subject)
        assert (caller.is_also(ZONE, who), alone.is_also(ZONE, who)) == (declared, itself)
