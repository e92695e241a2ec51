"""JWTs of trusted issuers through the whole service, in both dialects."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from cambist.compact import Compact
from cambist.testing import ABSENT, AllowAll, Forge, MovableClock, Running, open_sts
from cambist.token_type import JWT

STS, API = "https://sts.example.test", "https://api.example"
A, B = "https://a.example/tenant", "https://b.example"
JWKS_URL = "https://keys.example/jwks"

both = pytest.mark.parametrize("dialect", ["form", "json"])


class KeyServer:
    """The issuers' side of HTTP: discovery and keys, counted."""

    def __init__(self, *forges: Forge) -> None:
        self.forges = {forge.issuer: forge for forge in forges}
        self.asked: list[str] = []
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        await asyncio.sleep(0)
        if self.answer is not None:
            return self.answer(request)
        issuer = str(request.url).removesuffix("/.well-known/openid-configuration")
        if issuer in self.forges:
            return httpx.Response(200, json={"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
        return httpx.Response(200, json={"keys": [key for forge in self.forges.values() for key in forge.jwks["keys"]]})


@asynccontextmanager
async def service(
    *entries: Mapping[str, Any], clock: MovableClock, server: KeyServer | None = None, policy: AllowAll | None = None, **more: Any
) -> AsyncIterator[Running]:
    """A service that trusts these issuers, and takes their tokens as proof of the caller too (decision 30)."""
    settings = {"authenticates": [JWT], **more, "plugins": {"jwt": {"issuers": list(entries)}}}
    transport = httpx.MockTransport(server or KeyServer())
    async with open_sts(settings, modules={"scripted": policy or AllowAll()}, clock=clock, transport=transport) as sts:
        yield sts


async def ask(sts: Running, token: str, dialect: str, **more: Any) -> httpx.Response:
    sent = {"subject_token": token, "audience": API, **more}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


def claims(answer: httpx.Response) -> Mapping[str, Any]:
    assert answer.status_code == 200, answer.text
    return Compact.parse(answer.json()["access_token"]).claims


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()
    return answer.status_code, told["error"], told["reason"]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(A, STS, clock)


# ── good journeys ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("T-jwt")
@both
@pytest.mark.parametrize("source", ["url", "discovery", "file", "inline"])
async def test_a_token_is_exchanged_wherever_its_issuers_keys_are(
    clock: MovableClock, forge: Forge, tmp_path: Path, dialect: str, source: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(msgspec.json.encode(forge.jwks))
    places: dict[str, dict[str, Any]] = {
        "url": {"jwks_url": JWKS_URL},
        "discovery": {},
        "file": {"jwks_file": str(path)},
        "inline": {"jwks": forge.jwks},
    }
    server = KeyServer(forge)
    async with service({"issuer": A, **places[source]}, clock=clock, server=server) as sts:
        token = claims(await ask(sts, f"  {forge.jwt(sub='deploy')}\n", dialect))
        claims(await ask(sts, forge.jwt(), dialect))
    assert token["sub"] == "wimse://sts.example.test/issuer/https_3a_2f_2fa.example_2ftenant/subject/deploy"
    assert (token["iss"], token["aud"], token["exp"] - token["iat"]) == (STS, API, 300)
    assert (
        server.asked
        == {
            "url": [JWKS_URL],
            "discovery": [f"{A}/.well-known/openid-configuration", f"{A}/keys"],
            "file": [],
            "inline": [],
        }[source]
    )


@both
@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"])
async def test_every_algorithm_that_is_on_by_default_is_exchanged(clock: MovableClock, dialect: str, algorithm: str) -> None:
    forge = Forge(A, STS, clock, algorithm="Ed25519" if algorithm == "EdDSA" else algorithm)
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        assert claims(await ask(sts, forge.jwt({"alg": algorithm}), dialect))["aud"] == API


@both
async def test_the_token_never_outlives_what_it_was_issued_for(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        answer = await ask(sts, forge.jwt(exp=int(clock()) + 20), dialect)
        assert claims(answer)["exp"] == int(clock()) + 20
        assert answer.json()["expires_in"] == 20


@both
async def test_its_scope_bounds_what_is_granted(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        token = forge.jwt(scope="read list")
        assert claims(await ask(sts, token, dialect, scope="write read"))["scope"] == "read"
        status, _, reason = refused(await ask(sts, token, dialect, scope="write"))
        assert (status, reason) == (403 if dialect == "json" else 400, "scope_denied")
        assert claims(await ask(sts, forge.jwt(), dialect, scope="write"))["scope"] == "write"


@both
async def test_the_policy_is_told_all_that_the_token_says(clock: MovableClock, forge: Forge, dialect: str) -> None:
    policy = AllowAll()
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock, policy=policy) as sts:
        claims(await ask(sts, forge.jwt(sub="x", team="red", groups=["a"]), dialect))
    [question] = policy.asked
    assert (question.subject.identity.issuer, question.subject.identity.subject) == (A, "x")
    assert (question.subject.identity.attributes["team"], question.subject.identity.attributes["groups"]) == ("red", ["a"])


@both
async def test_nothing_of_a_foreign_token_becomes_a_claim_of_ours(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        token = claims(
            await ask(
                sts, forge.jwt(client_id="admin", txn="mine", zone_id="other", use="session", caps=["all"], td="evil", jti="j"), dialect
            )
        )
    assert token["client_id"] == token["sub"]
    assert (token["zone_id"], token["txn"] != "mine", token["jti"] != "j") == ("default", True, True)
    assert not {"use", "caps"} & token.keys()
    assert token.get("td") != "evil"


@both
async def test_an_actor_of_the_other_issuer_is_proved_by_the_same_plugin(clock: MovableClock, forge: Forge, dialect: str) -> None:
    other = Forge(B, STS, clock, algorithm="RS256")
    entries = ({"issuer": A, "jwks": forge.jwks}, {"issuer": B, "jwks": other.jwks})
    async with service(*entries, clock=clock) as sts:
        more = {"actor_token": other.jwt(sub="agent"), "actor_token_type": JWT}
        token = claims(await ask(sts, forge.jwt(may_act={"iss": B, "sub": "agent"}), dialect, **more))
        assert token["act"] == {"sub": "wimse://sts.example.test/issuer/https_3a_2f_2fb.example/subject/agent"}
        bad = await ask(
            sts, forge.jwt(may_act={"iss": B, "sub": "agent"}), dialect, actor_token=forge.jwt(sub="agent"), actor_token_type=JWT
        )
        assert refused(bad)[2] == "actor_not_permitted"
        broken = await ask(sts, forge.jwt(), dialect, actor_token=other.jwt(exp=int(clock()) - 5), actor_token_type=JWT)
        assert refused(broken) == (400, "invalid_request", "credential_expired")
        assert broken.json()["details"]["role"] == "actor"


@both
async def test_the_same_token_is_exchanged_again_for_a_jwt_is_not_single_use(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        token = forge.jwt(jti="one")
        first, second = [claims(await ask(sts, token, dialect)) for _ in range(2)]
    assert first["jti"] != second["jti"]


@both
async def test_two_zones_trust_each_their_own_issuers(clock: MovableClock, forge: Forge, dialect: str) -> None:
    other = Forge(B, STS, clock)
    team = {"authenticates": [JWT], "plugins": {"jwt": {"issuers": [{"issuer": B, "jwks": other.jwks}]}}}
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock, zones={"team": team}) as sts:
        assert claims(await ask(sts, other.jwt(), dialect, zone_id="team"))["zone_id"] == "team"
        assert refused(await ask(sts, other.jwt(), dialect)) == (400, "invalid_request", "issuer_not_trusted")
        assert refused(await ask(sts, forge.jwt(), dialect, zone_id="team")) == (400, "invalid_request", "issuer_not_trusted")


# ── refused journeys ────────────────────────────────────────────────────────────────────────────────────

NOON = 1_800_014_400
FAULTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("algorithm_refused", {"alg": "none"}, {}),
    ("algorithm_refused", {"alg": "HS256"}, {}),
    ("key_unknown", {"kid": "k2"}, {}),
    ("token_kind_mismatch", {"typ": "dpop+jwt"}, {}),
    ("credential_malformed", {"crit": ["x"]}, {}),
    ("issuer_not_trusted", {}, {"iss": "https://evil.example"}),
    ("issuer_not_trusted", {}, {"iss": f"{A}/"}),
    ("credential_unclaimed", {}, {"iss": ABSENT}),
    ("audience_mismatch", {}, {"aud": "https://other.example"}),
    ("audience_missing", {}, {"aud": ABSENT}),
    ("credential_malformed", {}, {"sub": ABSENT}),
    ("credential_malformed", {}, {"sub": "a\x00b"}),
    ("credential_expired", {}, {"exp": NOON}),
    ("credential_not_yet_valid", {}, {"nbf": NOON + 100}),
    ("credential_rejected", {}, {"exp": NOON + 100_000}),
    ("possession_missing", {}, {"cnf": {"jkt": "x"}}),
    ("credential_rejected", {}, {"act": {"sub": "x"}}),
    ("identifier_too_long", {}, {"sub": "a" * 2000}),
    ("credential_too_large", {}, {"x": "a" * 16_384}),
]


@both
@pytest.mark.parametrize(("reason", "header", "changes"), FAULTS)
async def test_every_fault_is_told_by_its_reason_with_a_record_and_without_the_token(
    clock: MovableClock, forge: Forge, dialect: str, reason: str, header: dict[str, Any], changes: dict[str, Any]
) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        token = forge.jwt(header, **changes)
        answer = await ask(sts, token, dialect)
        assert refused(answer) == (400, "invalid_request", reason)
        [record] = sts.records
    told = answer.json()
    assert (record.outcome, record.decision_id) == (reason, told["decision_id"])
    assert told["details"]["role"] == "subject"
    assert token.rpartition(".")[2] not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@both
async def test_a_subject_whose_name_here_would_be_too_long_is_told(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        assert refused(await ask(sts, forge.jwt(sub="/" * 1000), dialect)) == (400, "invalid_request", "identifier_too_long")
        assert claims(await ask(sts, forge.jwt(sub="/" * 300), dialect))["sub"].endswith("_2f" * 300)


@both
async def test_a_mismatched_audience_and_an_expiry_explain_themselves(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        elsewhere = (await ask(sts, forge.jwt(aud=["https://other.example"]), dialect)).json()
        late = (await ask(sts, forge.jwt(exp=NOON - 90), dialect)).json()
    assert (elsewhere["details"]["expected"], elsewhere["details"]["seen"]) == ([STS], ["https://other.example"])
    assert late["error_description"].startswith("it expired 90 seconds ago")


@both
async def test_a_jwt_does_not_prove_who_sends_it_unless_the_zone_says_so(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock, authenticates=[]) as sts:
        answer = await ask(sts, forge.jwt(), dialect)
    assert (answer.status_code, answer.json()["reason"]) == (403 if dialect == "json" else 401, "client_required")


@both
async def test_an_unknown_issuer_causes_no_call(clock: MovableClock, forge: Forge, dialect: str) -> None:
    server = KeyServer(forge)
    async with service({"issuer": A}, clock=clock, server=server) as sts:
        for number in range(20):
            evil = Forge(f"https://evil-{number}.example", STS, clock)
            assert refused(await ask(sts, evil.jwt({"jku": "https://evil.example/jwks"}), dialect))[2] == "issuer_not_trusted"
    assert server.asked == []


@both
async def test_a_flood_of_unknown_kids_is_one_call_in_a_minute(clock: MovableClock, forge: Forge, dialect: str) -> None:
    server = KeyServer(forge)
    async with service({"issuer": A, "jwks_url": JWKS_URL}, clock=clock, server=server) as sts:
        claims(await ask(sts, forge.jwt(), dialect))
        clock.move(60)
        answers = await asyncio.gather(*(ask(sts, forge.jwt({"kid": f"random-{n}"}), dialect) for n in range(40)))
        assert {refused(answer)[2] for answer in answers} == {"key_unknown"}
        claims(await ask(sts, forge.jwt(), dialect))
    assert server.asked == [JWKS_URL] * 2


@both
async def test_an_issuer_that_is_down_is_a_503_and_its_last_good_keys_serve_for_a_day(
    clock: MovableClock, forge: Forge, dialect: str
) -> None:
    server = KeyServer(forge)
    down = "server_error" if dialect == "json" else "temporarily_unavailable"
    async with service({"issuer": A, "jwks_url": JWKS_URL}, clock=clock, server=server) as sts:
        server.answer = lambda _: httpx.Response(500)
        answer = await ask(sts, forge.jwt(), dialect)
        assert refused(answer) == (503, down, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "5"
        assert "keys.example" not in answer.text
        assert sts.records[-1].refusal is not None
        assert {"what": f"the keys of {A}", "cause": "status 500"}.items() <= sts.records[-1].refusal.facts.items()
        server.answer = None
        clock.move(5)
        claims(await ask(sts, forge.jwt(), dialect))
        server.answer = lambda _: httpx.Response(500)
        clock.move(86_400)
        claims(await ask(sts, forge.jwt(), dialect))
        clock.move(1)
        assert refused(await ask(sts, forge.jwt(), dialect))[0] == 503


@both
async def test_a_rotated_key_is_taken_at_once_and_the_withdrawn_one_is_gone(clock: MovableClock, dialect: str) -> None:
    old, new = Forge(A, STS, clock, kid="old"), Forge(A, STS, clock, kid="new")
    server = KeyServer(old)
    async with service({"issuer": A}, clock=clock, server=server) as sts:
        claims(await ask(sts, old.jwt(), dialect))
        server.forges = {A: new}
        clock.move(301)
        claims(await ask(sts, new.jwt(), dialect))
        assert refused(await ask(sts, old.jwt(), dialect))[2] == "key_unknown"


@both
async def test_a_refusal_is_quick(clock: MovableClock, forge: Forge, dialect: str) -> None:
    async with service({"issuer": A, "jwks": forge.jwks}, clock=clock) as sts:
        token, took = forge.jwt({"alg": "none"}, x="a" * 12_000), []
        for _ in range(60):
            started = time.perf_counter()
            await ask(sts, token, dialect)
            took.append(time.perf_counter() - started)
    assert statistics.median(took) < 0.05
