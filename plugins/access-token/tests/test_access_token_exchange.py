"""Access tokens through the whole service, in both dialects: whoever is to judge one is written on it, and each fault has its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from cambist import DidNotStart
from cambist.compact import Compact
from cambist.testing import ABSENT, ISSUER, AccessTokenForge, AllowAll, Forge, MovableClock, Running, ScriptedHttp, open_sts
from cambist.token_type import ACCESS_TOKEN, JWT

AS, OTHER, API, TARGET = "https://as.example", "https://other.example", "https://api.example", "https://target.example"
INTROSPECT, OPAQUE, DOTTED = f"{AS}/introspect", "0paque", "aaa.bbb.ccc"
CLOCK = MovableClock()
NOON = int(CLOCK())
FORGE = AccessTokenForge(AS, API, CLOCK)
BY_KEYS: dict[str, Any] = {"issuer": AS, "audience": [API], "jwks": FORGE.jwks}
BY_ASKING: dict[str, Any] = {
    "issuer": AS,
    "audience": [API],
    "introspection": {"url": INTROSPECT, "client_id": "cambist", "client_secret": "the secret"},
}
ACTIVE: dict[str, Any] = {"active": True, "iss": AS, "sub": "alice", "aud": API, "iat": NOON - 10, "exp": NOON + 600, "scope": "read write"}
both = pytest.mark.parametrize("dialect", ["form", "json"])


@asynccontextmanager
async def service(
    *entries: Mapping[str, Any], http: ScriptedHttp | None = None, clock: MovableClock = CLOCK, more: Mapping[str, Any] | None = None
) -> AsyncIterator[Running]:
    """A service that takes access tokens of these issuers, and as proof of the caller too."""
    settings = {"authenticates": [ACCESS_TOKEN], "plugins": {"access-token": {"issuers": list(entries)}, **(more or {})}}
    async with open_sts(settings, modules={"scripted": AllowAll()}, clock=clock, transport=http or ScriptedHttp({})) as sts:
        yield sts


async def ask(sts: Running, token: str, dialect: str, **more: Any) -> httpx.Response:
    sent: dict[str, Any] = {"subject_token": token, "subject_token_type": ACCESS_TOKEN, "audience": TARGET, **more}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


def claims(answer: httpx.Response) -> Mapping[str, Any]:
    assert answer.status_code == 200, answer.text
    return Compact.parse(answer.json()["access_token"]).claims


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


# ── JWTs ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("T-access-token")
@both
async def test_a_jwt_is_exchanged_for_no_more_than_its_scope(dialect: str) -> None:
    async with service(BY_KEYS) as sts:
        token = claims(await ask(sts, FORGE.jwt(sub="alice", scope="read write"), dialect, scope="read admin"))
        assert (token["scope"], token["aud"]) == ("read", TARGET)
        assert token["sub"].endswith("/subject/alice")
        status, reason = refused(await ask(sts, FORGE.jwt(scope=ABSENT), dialect, scope="read"))
        assert (status, reason) == (403 if dialect == "json" else 400, "scope_denied")


SIBLINGS: dict[str, tuple[str, str]] = {
    "an ID token": ("token_kind_mismatch", FORGE.jwt({"typ": "JWT"}, nonce="n", scope=ABSENT)),
    "an ID token that says at+jwt": ("token_kind_mismatch", FORGE.jwt(nonce="n", scope=ABSENT)),
    "Keycloak's refresh token": ("token_kind_mismatch", FORGE.jwt(typ="Refresh")),
    "a JWT older than RFC 9068": ("token_kind_mismatch", FORGE.jwt({"typ": ABSENT})),
    "for another resource": ("audience_mismatch", FORGE.jwt(aud=f"{API}/v2")),
    "of the issuer with a slash": ("issuer_not_trusted", FORGE.jwt(iss=f"{AS}/")),
    "expired by a second": ("credential_expired", FORGE.jwt(exp=NOON - 1, iat=NOON - 600)),
    "of nobody": ("credential_malformed", FORGE.jwt(sub=ABSENT)),
    "with an scp that is no list": ("credential_malformed", FORGE.jwt(scope=ABSENT, scp="read")),
    "opaque, where nobody is asked": ("credential_unclaimed", OPAQUE),
    "in three parts that are no JWT": ("credential_malformed", DOTTED),
}


@both
@pytest.mark.parametrize("sibling", SIBLINGS)
async def test_one_that_is_nearly_good_has_a_reason_of_its_own(dialect: str, sibling: str) -> None:
    reason, token = SIBLINGS[sibling]
    async with service(BY_KEYS) as sts:
        assert refused(await ask(sts, token, dialect)) == (400, reason)


@both
async def test_an_issuer_older_than_the_rfc_is_taken_by_name_and_its_id_tokens_are_still_refused(dialect: str) -> None:
    async with service({**BY_KEYS, "types": ["JWT"], "subject": "client_id"}) as sts:
        token = claims(await ask(sts, FORGE.jwt({"typ": "JWT"}, scope=ABSENT, scp=["read"], typ="Bearer"), dialect, scope="read"))
        assert (token["scope"], token["sub"].rpartition("/")[2]) == ("read", "client-1")
        assert refused(await ask(sts, FORGE.jwt({"typ": "JWT"}, typ="ID"), dialect))[1] == "token_kind_mismatch"
        assert refused(await ask(sts, FORGE.jwt({"typ": "JWT"}, at_hash="h", scope=ABSENT), dialect))[1] == "token_kind_mismatch"
        assert refused(await ask(sts, FORGE.jwt({"typ": "JWT"}, client_id=ABSENT), dialect))[1] == "credential_malformed"


@both
async def test_a_token_of_this_very_service_is_exchanged_only_to_narrow(dialect: str) -> None:
    async with service(BY_KEYS) as sts:
        first = (await ask(sts, FORGE.jwt(scope="read write"), dialect, scope="read", audience=ISSUER)).json()["access_token"]
        assert claims(await ask(sts, first, dialect, scope="read write"))["scope"] == "read"


async def test_no_entry_may_claim_the_services_own_tokens() -> None:
    with pytest.raises(DidNotStart, match="core and access-token both take"):
        async with service({**BY_KEYS, "issuer": ISSUER}):
            pass


# ── opaque tokens ───────────────────────────────────────────────────────────────────────────────────────


class Asked(ScriptedHttp):
    """An introspection endpoint that says this of every token."""

    def __init__(self, answer: Mapping[str, Any] | httpx.Response | Exception) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.said = answer
        super().__init__({INTROSPECT: self.answer})

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.forms.append(parse_qs(request.content.decode()))
        if isinstance(self.said, Exception):
            raise self.said
        return self.said if isinstance(self.said, httpx.Response) else httpx.Response(200, json=dict(self.said))


@pytest.mark.row("T-access-token")
@both
@pytest.mark.parametrize("token", [OPAQUE, DOTTED, "a.b", "e30.e30.e30.e30.e30", "~!#"])
async def test_an_opaque_token_of_any_shape_is_asked_about(dialect: str, token: str) -> None:
    http = Asked(ACTIVE)
    async with service(BY_ASKING, http=http) as sts:
        issued = claims(await ask(sts, token, dialect, scope="read admin"))
    assert (issued["scope"], issued["sub"].rpartition("/")[2]) == ("read", "alice")
    assert [form["token"] for form in http.forms] == [[token]]
    assert issued["exp"] <= ACTIVE["exp"]


@both
async def test_what_is_written_on_a_token_alone_decides_who_judges_it(dialect: str) -> None:
    """A JWT of one that is asked is asked about; of one with keys, verified; of a stranger, refused without a call."""
    other = AccessTokenForge(OTHER, API, CLOCK)
    http = Asked(ACTIVE)
    async with service(BY_ASKING, {"issuer": OTHER, "audience": [API], "jwks": other.jwks}, http=http) as sts:
        claims(await ask(sts, other.jwt(sub="bob"), dialect))
        assert http.asked == []
        assert refused(await ask(sts, AccessTokenForge("https://evil.example", API, CLOCK).jwt(), dialect))[1] == "issuer_not_trusted"
        assert http.asked == []
        assert claims(await ask(sts, FORGE.jwt(sub="mallory"), dialect))["sub"].endswith("/alice")
        assert http.asked == [INTROSPECT]


@both
async def test_an_issuer_that_knows_only_its_own_jwts_is_not_asked_about_others(dialect: str) -> None:
    http = Asked(ACTIVE)
    entry = {**BY_ASKING, "introspection": {**BY_ASKING["introspection"], "opaque": False}}
    async with service(entry, http=http) as sts:
        assert refused(await ask(sts, OPAQUE, dialect))[1] == "credential_unclaimed"
        assert http.asked == []
        claims(await ask(sts, FORGE.jwt(), dialect))


@both
@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"active": False}, 400, "credential_inactive"),
        ({"active": False, "sub": "alice", "aud": API, "exp": NOON + 600}, 400, "credential_inactive"),
        ({**ACTIVE, "exp": NOON}, 400, "credential_expired"),
        ({**ACTIVE, "nbf": NOON + 100}, 400, "credential_not_yet_valid"),
        ({**ACTIVE, "aud": "https://another.example"}, 400, "audience_mismatch"),
        ({**ACTIVE, "iss": f"{AS}/"}, 400, "issuer_not_trusted"),
        ({**ACTIVE, "iss": None}, 400, "issuer_not_trusted"),
        ({**ACTIVE, "token_type": "Refresh"}, 400, "token_kind_mismatch"),
        ({**ACTIVE, "token_type": "ID"}, 400, "token_kind_mismatch"),
        ({**ACTIVE, "typ": "ID"}, 400, "token_kind_mismatch"),
        ({**ACTIVE, "cnf": {"jkt": "x"}}, 400, "possession_missing"),
        ({**ACTIVE, "cnf": {"x5t#S256": "x"}}, 400, "possession_missing"),
        ({name: value for name, value in ACTIVE.items() if name != "exp"}, 400, "credential_malformed"),
        ({name: value for name, value in ACTIVE.items() if name != "aud"}, 400, "audience_missing"),
        ({name: value for name, value in ACTIVE.items() if name != "sub"}, 400, "credential_malformed"),
        ({**ACTIVE, "active": "true"}, 503, "temporarily_unavailable"),
        ({**ACTIVE, "active": 1}, 503, "temporarily_unavailable"),
        ({}, 503, "temporarily_unavailable"),
        (httpx.Response(401, json={"error": "invalid_client"}), 503, "temporarily_unavailable"),
        (httpx.Response(302, headers={"location": "https://evil.example"}), 503, "temporarily_unavailable"),
        (httpx.Response(200, content=b"<html>"), 503, "temporarily_unavailable"),
        (httpx.Response(200, content=b"[true]"), 503, "temporarily_unavailable"),
        (httpx.Response(200, content=b'{"active":false,"active":true}'), 503, "temporarily_unavailable"),
        (httpx.ConnectError("nobody"), 503, "temporarily_unavailable"),
    ],
)
async def test_every_other_answer_is_a_refusal_with_its_reason(dialect: str, answer: Any, status: int, reason: str) -> None:
    async with service(BY_ASKING, http=Asked(answer)) as sts:
        answered = await ask(sts, OPAQUE, dialect)
        assert refused(answered) == (status, reason)
        again = await ask(sts, OPAQUE, dialect)
    assert refused(again) == (status, reason)
    assert "the secret" not in answered.text
    assert INTROSPECT not in answered.text


async def test_an_issuer_that_names_no_issuer_or_no_subject_is_read_as_the_settings_say() -> None:
    bare = {"active": True, "client_id": "robot", "aud": [API], "exp": NOON + 600}
    async with service({**BY_ASKING, "subject": "client_id"}, http=Asked(bare)) as sts:
        assert claims(await ask(sts, OPAQUE, "form"))["sub"].endswith("/robot")


async def test_an_answer_is_believed_for_a_moment_and_never_past_the_tokens_end() -> None:
    clock = MovableClock()
    http = Asked({**ACTIVE, "exp": NOON + 45})
    async with service(BY_ASKING, http=http, clock=clock) as sts:
        for _ in range(5):
            claims(await ask(sts, OPAQUE, "form"))
        assert len(http.asked) == 1
        clock.move(29)
        claims(await ask(sts, OPAQUE, "form"))
        assert len(http.asked) == 1
        clock.move(1)
        claims(await ask(sts, OPAQUE, "form"))
        assert len(http.asked) == 2, "after 30 seconds it is asked anew"
        clock.move(15)
        assert refused(await ask(sts, OPAQUE, "form"))[1] == "credential_expired"
        assert len(http.asked) == 3, "at its end no answer is believed"


async def test_a_revoked_token_is_refused_when_the_answer_has_aged() -> None:
    clock = MovableClock()
    http = Asked(ACTIVE)
    async with service({**BY_ASKING, "introspection": {**BY_ASKING["introspection"], "cache": 0}}, http=http, clock=clock) as sts:
        claims(await ask(sts, OPAQUE, "form"))
        http.said = {"active": False}
        assert refused(await ask(sts, OPAQUE, "form"))[1] == "credential_inactive"
        http.said = ACTIVE
        claims(await ask(sts, OPAQUE, "form"))  # too early is not for ever


@pytest.mark.parametrize("token", ["with space", "nul\x00", "ünicode", "new\nline", "a" * 16_385])
async def test_nobody_is_asked_about_what_can_be_no_token(token: str) -> None:
    http = Asked(ACTIVE)
    async with service(BY_ASKING, http=http) as sts:
        assert refused(await ask(sts, token, "json"))[0] == 400
    assert http.asked == []


async def test_another_plugin_for_the_same_issuer_judges_its_own_type_only() -> None:
    plain = Forge(AS, API, CLOCK)
    async with service(BY_KEYS, more={"jwt": {"issuers": [{"issuer": AS, "audience": [API], "jwks": plain.jwks}]}}) as sts:
        claims(await ask(sts, FORGE.jwt(), "form"))
        assert refused(await ask(sts, plain.jwt(), "form"))[1] == "token_kind_mismatch"
        assert refused(await ask(sts, FORGE.jwt(), "form", subject_token_type=JWT))[1] == "client_required"
