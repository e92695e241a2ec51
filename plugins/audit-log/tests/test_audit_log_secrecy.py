"""No credential, and no part of one, is ever in the log: whatever family it is of, wherever it was put, and however it ended."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Credential, Deny, Permit, PolicyInput, Rejected, Role, hookimpl
from cambist.client_secret import CLIENT_SECRET, credential_text, hash_secret
from cambist.request import Dialect, ExchangeRequest, ExecutionScope, Presented
from cambist.testing import ISSUER, Forge, MovableClock, Running, Scripted, open_sts
from cambist_audit_log.testing import decisions, raw, table
from cambist_audit_log.withheld import WITHHELD, Withheld

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
KEY_TYPE = "urn:cambist:token-type:api-key"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"
LEAK = 12
"""Characters in a row that count as a part of a credential."""


class Telltale:
    """A plugin that tells the credential wherever it can: in its own words, in facts, in errors. It is its own module."""

    token_types = frozenset({KEY_TYPE})
    issuers = None

    def __init__(self, how: str) -> None:
        self.how = how

    @hookimpl
    def cambist_validators(self, host: Any) -> Iterator[Any]:
        yield self

    def recognizes(self, unverified: Any) -> bool:
        return True

    async def validate(self, credential: Credential) -> Any:
        token = credential.token
        if self.how == "refusal":
            raise Rejected(f"bad token {token!r}", expected=f"not <{token}>", seen={"token": token, token: [token[:-1]]}, cause=token[5:40])
        raise ValueError(f"cannot parse {token[:30]}... (from {token})")


@asynccontextmanager
async def service(folder: Path, forge: Forge, policy: Scripted | None = None, telltale: str = "refusal") -> AsyncIterator[Running]:
    settings = {
        "authenticates": [JWT_TYPE, KEY_TYPE],
        "applications": {"shop": {"secret_hash": hash_secret(SECRET)}},
        "plugins": {
            "audit-log": table(folder, sample=1_000),
            "jwt": {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]},
        },
    }
    modules = {"scripted": policy or Scripted(Permit()), "telltale": Telltale(telltale)}
    async with open_sts(settings, clock=forge.clock, modules=modules) as running:
        yield running


SECRET = "Kx9/vT+2 pQ7:mZ&4wR=8nB%s3L"
NONCE = "n0nce-aG93IG11Y2ggd29vZA"


@pytest.fixture
def forge() -> Forge:
    return Forge(IDP, ISSUER, MovableClock())


def written(folder: Path) -> str:
    return raw(folder).decode()


def parts(credential: str) -> set[str]:
    return {credential[start : start + LEAK] for start in range(len(credential) - LEAK + 1)}


def assert_nothing_of(credentials: list[str], text: str) -> None:
    unescaped = json.loads(f'"{json.dumps(text)[1:-1]}"')
    for credential in credentials:
        leaked = {part for part in parts(credential) if part in text or part in unescaped}
        assert leaked == set(), credential


async def test_whatever_becomes_of_a_jwt_nothing_of_it_is_written(tmp_path: Path, forge: Forge) -> None:
    issued, sent = [], []
    async with service(tmp_path, forge) as sts:
        for claims in ({}, {"exp": 1}, {"iss": "https://other.example.test"}, {"aud": "https://other.example.test"}, {"sub": ""}):
            sent += [token := forge.jwt(**claims)]
            answer = await sts.form(subject_token=token, audience=TARGET)
            issued += [answer.json()["access_token"]] if answer.status_code == 200 else []
            await sts.json(subject_token=f" {token}\n", audience=TARGET)
            await sts.form(subject_token=f"{token[:-5]}AAAAA", audience=TARGET, actor_token=token, actor_token_type=JWT_TYPE)
            await sts.form(subject_token=token[: len(token) // 2], audience=TARGET)
            await sts.json(subject_token=token, audience=TARGET, actor_token=token)
    assert issued
    assert len(decisions(tmp_path)) == 25
    assert_nothing_of([*issued, *sent], written(tmp_path))


PLACES = [
    "audience",
    "resource",
    "scope",
    "grant_type",
    "subject_token_type",
    "requested_token_type",
    "zone_id",
    "client_id",
    "ttl_seconds",
    "fnord",
]


@pytest.mark.parametrize("dialect", ["form", "json"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_jwt_in_the_wrong_place_is_not_written_either(tmp_path: Path, forge: Forge, place: str, dialect: str) -> None:
    """People paste a token where its type or its audience should be: there it is not known as a credential."""
    async with service(tmp_path, forge) as sts:
        token, other = forge.jwt(), forge.jwt(sub="workload-2")
        for misplaced in (token, other, f"{TARGET}/?token={other}", f"Bearer {other}"):
            parameters: dict[str, Any] = {"subject_token": token, "audience": TARGET, place: misplaced}
            await getattr(sts, dialect)(**parameters)
        await sts.form((token, "x"), subject_token=token, audience=TARGET)
    assert_nothing_of([token, other], written(tmp_path))


@pytest.mark.parametrize("place", PLACES)
async def test_an_api_key_in_the_wrong_place_is_not_written_either(tmp_path: Path, forge: Forge, place: str) -> None:
    key = f"cbk_0aZbc1De2fGh_{''.join(random.Random(7).choices(string.ascii_letters + string.digits, k=49))}"
    async with service(tmp_path, forge) as sts:
        parameters: dict[str, Any] = {"subject_token": forge.jwt(), "audience": TARGET, place: key}
        await sts.form(**parameters)
    assert_nothing_of([key], written(tmp_path))


@pytest.mark.parametrize("how", ["refusal", "error"])
@pytest.mark.parametrize(
    "token",
    ["cbk_0aZbc1De2fGh_Rk3nd0mCh4racters9f8b7c6d", "short-but-secret", "x" * 16_000, 'quo"ted\\secret/with+marks', "söme-sécret-ünicode"],
)
async def test_a_plugin_that_tells_the_credential_is_not_heard(tmp_path: Path, forge: Forge, how: str, token: str) -> None:
    async with service(tmp_path, forge, telltale=how) as sts:
        await sts.form(subject_token=token, subject_token_type=KEY_TYPE, audience=TARGET)
        [record] = sts.records
        assert record.refusal is not None
    assert_nothing_of([token], written(tmp_path))
    assert decisions(tmp_path)[0]["subject"]["sha256"]


async def test_a_policy_that_tells_the_credential_is_not_heard(tmp_path: Path, forge: Forge) -> None:
    class Telling(Scripted):
        async def decide(self, question: PolicyInput) -> Deny:
            assert question.request.subject is not None
            return Deny(reasons=(f"no: {question.request.subject.token}",), targets=(question.request.subject.token[20:60],))

    async with service(tmp_path, forge, Telling(Permit())) as sts:
        token = forge.jwt()
        await sts.form(subject_token=token, audience=TARGET)
    assert_nothing_of([token], written(tmp_path))
    assert decisions(tmp_path)[0]["policy"]["reasons"] == [f"no: {WITHHELD}"]


@pytest.mark.parametrize("secret", [SECRET, "another secret, that is wrong"])
@pytest.mark.parametrize("how", ["post", "basic"])
async def test_nothing_of_a_client_secret_is_written_however_it_was_sent(tmp_path: Path, forge: Forge, secret: str, how: str) -> None:
    basic = base64.b64encode(f"shop:{quote(secret, safe='')}".encode()).decode()
    async with service(tmp_path, forge) as sts:
        token = forge.jwt()
        if how == "post":
            answer = await sts.form(subject_token=token, audience=TARGET, client_id="shop", client_secret=secret)
        else:
            answer = await sts.form(subject_token=token, audience=TARGET, headers={"authorization": f"Basic {basic}"})
        assert answer.status_code == (200 if secret == SECRET else 401), answer.text
        # and once more where somebody typed it into the wrong field
        await sts.form(subject_token=token, audience=TARGET, client_id="shop", client_secret=secret, scope=quote(secret), zone_id=secret)
    assert_nothing_of([secret, quote(secret, safe=""), basic, token], written(tmp_path))


async def test_nothing_of_an_assertion_a_proof_or_a_nonce_is_written(tmp_path: Path, forge: Forge) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    async with service(tmp_path, forge) as sts:
        token, assertion, proof = forge.jwt(), forge.jwt(sub="shop"), forge.jwt(htm="POST")
        await sts.form(subject_token=token, audience=TARGET, client_assertion=assertion, client_assertion_type=kind, client_id="shop")
        await sts.form(subject_token=token, audience=TARGET, headers={"dpop": proof})
        action = {"htm": "GET", "htu": f"{TARGET}/?n={NONCE}", "nonce": NONCE}
        for _ in range(2):
            await sts.json(subject_token=token, audience=TARGET, execution_scope=action)
    outcomes = [line.get("reason") for line in decisions(tmp_path)]
    assert outcomes[-2:] == [None, "replayed"]
    assert_nothing_of([token, assertion, proof, NONCE], written(tmp_path))


async def test_nothing_is_written_of_a_credential_whose_caller_hung_up(tmp_path: Path, forge: Forge) -> None:
    class Slow(Scripted):
        async def decide(self, question: PolicyInput) -> Permit:
            await asyncio.sleep(60)
            return Permit()

    async with service(tmp_path, forge, Slow(Permit())) as sts:
        token = forge.jwt()
        call = asyncio.create_task(sts.form(subject_token=token, audience=TARGET))
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    assert_nothing_of([token], written(tmp_path))


# ── the rule by itself ──────────────────────────────────────────────────────────────────────────────────


def request(token: str, **more: Any) -> ExchangeRequest:
    subject = Credential(token=token, token_type=KEY_TYPE, role=Role.SUBJECT)
    return ExchangeRequest(dialect=Dialect.OAUTH, grant_type="g", subject=subject, **more)


TOKENS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.=+/"), min_size=LEAK, max_size=300)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(token=TOKENS, before=TEXTS, after=TEXTS, data=st.data())
def test_no_twelve_characters_in_a_row_of_a_credential_come_through(token: str, before: str, after: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(token) - LEAK))
    end = data.draw(st.integers(start + LEAK, len(token)))
    told = Withheld(request(token)).text(f"{before}{token[start:end]}{after}")
    allowed = parts(before) | parts(after) | parts(WITHHELD)
    assert {part for part in parts(token) if part in told} <= allowed


@given(token=TOKENS, text=TEXTS)
def test_what_shares_nothing_with_a_credential_comes_through_as_it_is(token: str, text: str) -> None:
    shared = any(token[n : n + 6] in text for n in range(len(token) - 5))
    if not shared and len(text) < 40 and "eyJ" not in text:
        assert Withheld(request(token)).text(text) == text


def test_every_credential_of_a_request_is_known() -> None:
    client = Credential(token=credential_text("shop", SECRET), token_type=CLIENT_SECRET, role=Role.CLIENT)
    actor = Credential(token="the-actors-own-token", token_type=KEY_TYPE, role=Role.ACTOR)
    action = ExecutionScope(htm="GET", htu=TARGET, nonce=NONCE)
    asked = request("the-subjects-own-token", actor=actor, client=client, execution=action, presented=Presented(dpop="the-proof-of-it-all"))
    withheld = Withheld(asked)
    for secret in ("the-subjects-own-token", "the-actors-own-token", SECRET, quote(SECRET, safe=""), NONCE, "the-proof-of-it-all"):
        assert SECRET not in withheld.text(f"it was {secret}")
        assert secret not in withheld.text(f"it was {secret}")
    assert withheld.text("the application shop") == "the application shop", "an id is no secret"


@pytest.mark.parametrize(
    "text",
    [
        "spiffe://example.test/ns/payments/sa/checkout-service-account",
        "arn:aws:iam::123456789012:role/deployment-role",
        "https://login.example.test/0b1f2c3d-0000-4444-8888-999999999999/v2.0",
        "system:serviceaccount:payments:checkout",
        "it expired 61 seconds ago",
        "0123456789abcdef" * 4,
    ],
)
def test_names_and_numbers_of_the_trade_come_through(text: str) -> None:
    assert Withheld(None).text(text) == text


def test_a_long_text_is_judged_in_little_time() -> None:
    """A stranger chooses texts and credentials: neither their length nor their likeness may cost us more than the rest of the request."""
    from time import perf_counter

    withheld = Withheld(request("a" * 16_000))
    began = perf_counter()
    for text in ("a" * 60_000, "ab" * 30_000, "eyJ" * 20_000, "a " * 30_000, "A1" * 30_000):
        withheld.text(text)
        withheld.texts([text] * 1_000)
    assert perf_counter() - began < 2
