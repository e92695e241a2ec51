"""A sample is judged check by check, past the first that fails: what each says, and what is not looked at any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cambist import Credential, Role
from cambist.check import Check, Sample, State
from cambist.egress import Egress, EgressSettings
from cambist.errors import ClaimMissing
from cambist.jwts import Expected, Jwts
from cambist.testing import ABSENT, DeafHttp, Forge, MovableClock
from cambist.token_check import Rule, examined
from cambist.token_type import JWT

CLOCK = MovableClock()
NOON = int(CLOCK())
HERE, ISSUER = "https://sts.example", "https://issuer.example"
FORGE = Forge(ISSUER, HERE, CLOCK)
JWTS = Jwts(Egress(EgressSettings(), DeafHttp()), CLOCK)


def expected(forge: Forge = FORGE, **more: Any) -> Expected:
    keys = JWTS.keys(forge.issuer, jwks=forge.jwks)
    return Expected(issuer=forge.issuer, keys=keys, algorithms=frozenset({"ES256"}), **more)


async def checked(token: str, *, issuer: str | None = None, wanted: Expected | None = None, **more: Any) -> dict[str, Check]:
    credential = Credential(token=token, token_type=JWT, role=Role.SUBJECT)
    sample = Sample(credential=credential, audiences=frozenset({HERE}), issuer=issuer)
    wanted = wanted or expected()
    return {check.name: check for check in await examined(JWTS, sample, {wanted.issuer: wanted}, **more)}


def failed(checks: dict[str, Check]) -> dict[str, str | None]:
    return {name: check.reason for name, check in checks.items() if check.state is State.FAILED}


async def test_of_a_good_token_everything_is_said_that_was_looked_at() -> None:
    checks = await checked(FORGE.jwt(sub="alice"))
    assert list(checks) == ["form", "issuer", "type", "algorithm", "signature", "claims", "times", "audience"]
    assert failed(checks) == {}
    assert (checks["claims"].said, checks["times"].said, checks["audience"].said) == ("sub is 'alice'", "ends in 600 s", f"for {HERE}")


@pytest.mark.parametrize(
    ("token", "reasons"),
    [
        ("hello", {"form": "credential_malformed"}),
        (FORGE.jwt(iss="https://stranger.example"), {"issuer": "issuer_not_trusted"}),
        (FORGE.jwt(iss=f"{ISSUER}/", exp=NOON, iat=NOON - 9), {"issuer": "issuer_not_trusted", "times": "credential_expired"}),
        (FORGE.jwt({"alg": "none"}, aud="them"), {"algorithm": "algorithm_refused", "audience": "audience_mismatch"}),
        (FORGE.jwt({"kid": "k9", "typ": "x"}), {"key": "key_unknown", "type": "token_kind_mismatch"}),
        (Forge(ISSUER, HERE, CLOCK).jwt(), {"signature": "signature_invalid"}),
        (FORGE.jwt(exp=ABSENT), {"times": "credential_malformed"}),
        (FORGE.jwt(sub=ABSENT, exp=NOON, iat=NOON - 9), {"claims": "credential_malformed", "times": "credential_expired"}),
        (FORGE.jwt(act={"sub": "a"}), {"delegation": "credential_rejected"}),
    ],
)
async def test_what_fails_is_told_with_its_reason_and_the_rest_is_looked_at_too(token: str, reasons: dict[str, str]) -> None:
    checks = await checked(token)
    assert failed(checks) == reasons
    assert all(check.hint for check in checks.values() if check.state is State.FAILED)


async def test_it_can_be_judged_as_another_issuers_than_the_one_that_it_names() -> None:
    checks = await checked(FORGE.jwt(iss="https://stranger.example"), issuer=ISSUER)
    assert failed(checks) == {"issuer": "issuer_not_trusted"}
    assert (checks["issuer"].expected, checks["issuer"].seen) == (ISSUER, "https://stranger.example")
    assert checks["signature"].state is State.PASSED


async def test_what_a_plugin_asks_beyond_is_asked_each_by_itself_and_only_of_sound_claims() -> None:
    def missing(_: object) -> None:
        raise ClaimMissing("x is missing")

    def rules(_: Expected) -> Iterator[Rule]:
        yield "first", missing
        yield "second", lambda verified: verified.text("jti")
        yield "third", missing

    checks = await checked(FORGE.jwt(), rules=rules)
    assert failed(checks) == {"first": "claim_missing", "third": "claim_missing"}
    assert checks["second"].state is State.PASSED
    checks = await checked(FORGE.jwt(aud=ABSENT), rules=rules)
    assert checks["rules"].state is State.NOTE
    assert not {"first", "second", "third"} & checks.keys()


async def test_an_audience_that_the_operator_named_takes_the_place_of_the_zones() -> None:
    wanted = expected(audiences=frozenset({"cambist"}))
    assert failed(await checked(FORGE.jwt(aud="cambist"), wanted=wanted)) == {}
    checks = await checked(FORGE.jwt(), wanted=wanted)
    assert (failed(checks), checks["audience"].expected) == ({"audience": "audience_mismatch"}, ["cambist"])


async def test_a_chain_is_believed_of_those_who_may_assert_one() -> None:
    checks = await checked(FORGE.jwt(act={"sub": "a"}), wanted=expected(may_delegate=True))
    assert checks["delegation"].state is State.PASSED


async def test_a_signature_that_somebody_else_vouches_for_is_not_looked_at() -> None:
    checks = await checked(Forge(ISSUER, HERE, CLOCK).jwt(), by_keys=False)
    assert failed(checks) == {}
    assert not {"algorithm", "key", "signature"} & checks.keys()


async def test_no_check_shows_the_signature() -> None:
    token = FORGE.jwt(aud="them", exp=NOON, iat=NOON - 9)
    assert token.rpartition(".")[2] not in repr(await checked(token))
