"""`access-token` keeps the contract of every validator, for JWTs and for tokens that only their issuer can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, CredentialMalformed, Role, Validator
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ABSENT, AccessTokenForge, DeafHttp, MovableClock, ScriptedHttp, ValidatorContract
from cambist.testing import ISSUER as STS
from cambist.token_type import ACCESS_TOKEN
from cambist_access_token.settings import AccessTokenSettings
from cambist_access_token.validator import NamedTokens, OpaqueTokens

ISSUER, KEYS, INTROSPECTION = "https://issuer.example", "https://issuer.example/keys", "https://issuer.example/introspect"
SECRET = "the-secret-of-a-test-client"
ASKED = {"url": INTROSPECTION, "client_id": "cambist", "client_secret": SECRET}


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, **entry: Any) -> NamedTokens:
    settings = AccessTokenSettings.model_validate({"issuers": [{"issuer": ISSUER, "audience": [STS], **entry}]})
    egress = Egress(EgressSettings(), http)
    return NamedTokens(settings, egress, Jwts(egress, clock), clock)


@pytest.mark.row("T-access-token")
class TestJwts(LooksAtWhomItTrusts, ValidatorContract):
    @pytest.fixture
    def forge(self, clock: MovableClock) -> AccessTokenForge:
        return AccessTokenForge(ISSUER, STS, clock)

    @pytest.fixture
    def good(self, forge: AccessTokenForge) -> Credential:
        return Credential(token=forge.jwt(), token_type=ACCESS_TOKEN, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge: AccessTokenForge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: AccessTokenForge) -> Validator:
        document = {"issuer": ISSUER, "jwks_uri": KEYS}
        return plugin(clock, ScriptedHttp({f"{ISSUER}/.well-known/openid-configuration": document, KEYS: forge.jwks}))

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp()),)


class Introspecting(ScriptedHttp):
    """An endpoint that knows one token by heart, and says of all others that they are not active."""

    def __init__(self, clock: MovableClock, token: str) -> None:
        end = int(clock()) + 600
        self.active = {"active": True, "iss": ISSUER, "sub": "workload-1", "aud": STS, "exp": end, "iat": end - 600, "scope": "read"}
        self.token = token
        super().__init__({INTROSPECTION: self.answer})

    def answer(self, request: httpx.Request) -> httpx.Response:
        [asked] = parse_qs(request.content.decode(), keep_blank_values=True)["token"]
        return httpx.Response(200, json=self.active if asked == self.token else {"active": False})


def opaque(named: NamedTokens) -> OpaqueTokens:
    return OpaqueTokens(named.asked[ISSUER], named._jwts)


@pytest.mark.row("T-access-token")
@pytest.mark.parametrize("token", ["2YotnFZFEjr1zCsicMWpAA", "opaque.for.all-that-it-has-dots"], indirect=True)
class TestOpaqueTokens(ValidatorContract):
    @pytest.fixture
    def token(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def good(self, token: str) -> Credential:
        return Credential(token=token, token_type=ACCESS_TOKEN, role=Role.SUBJECT)

    @pytest.fixture
    def validator(self, clock: MovableClock, token: str) -> Validator:
        return opaque(plugin(clock, Introspecting(clock, token), introspection=ASKED))

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (opaque(plugin(clock, DeafHttp(), introspection=ASKED)),)

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        return (SECRET,)


async def test_of_a_token_that_only_its_issuer_can_read_the_issuers_word_is_looked_into() -> None:
    clock, token = MovableClock(), "2YotnFZFEjr1zCsicMWpAA"
    named = plugin(clock, server := Introspecting(clock, token), introspection=ASKED)
    for taker in (named, opaque(named)):
        good = Credential(token=token, token_type=ACCESS_TOKEN, role=Role.SUBJECT)
        checks = await taker.diagnose(Sample(credential=good, audiences=frozenset({STS}), issuer=ISSUER))
        assert [check.name for check in checks] == ["introspection", "claims", "times", "audience", "kind", "scope"]
        assert {check.state for check in checks} == {State.PASSED}
        other = Credential(token="another", token_type=ACCESS_TOKEN, role=Role.SUBJECT)
        (check,) = await taker.diagnose(Sample(credential=other, audiences=frozenset({STS}), issuer=ISSUER))
        assert (check.name, check.state, check.reason) == ("introspection", State.FAILED, "credential_inactive")
        server.active["exp"] = int(clock()) - 1
        assert [check.name for check in await taker.diagnose(Sample(credential=good, issuer=ISSUER)) if check.state is State.FAILED] == [
            "times"
        ]
        server.active["exp"] = int(clock()) + 600


async def test_a_jwt_of_an_issuer_that_is_asked_is_looked_into_by_asking_it() -> None:
    clock = MovableClock()
    token = AccessTokenForge(ISSUER, STS, clock).jwt()
    named = plugin(clock, Introspecting(clock, token), introspection=ASKED)
    checks = await named.diagnose(Sample(credential=Credential(token=token, token_type=ACCESS_TOKEN, role=Role.SUBJECT)))
    assert checks[0].name == "introspection"


async def test_an_issuer_that_is_asked_is_looked_at_by_asking_it_about_nobodys_token() -> None:
    clock = MovableClock()
    (trust,) = plugin(clock, server := Introspecting(clock, "t"), introspection=ASKED).trusts
    (asked,) = trust.sources
    assert [check.state for check in await asked.look()] == [State.PASSED]
    server.script[INTROSPECTION] = httpx.Response(401)
    (check,) = await asked.look()
    assert (check.state, "compare `client_id`" in str(check.hint)) == (State.FAILED, True)
    server.script[INTROSPECTION] = lambda _: httpx.Response(200, json=server.active)
    (check,) = await asked.look()
    assert "active that nobody issued" in check.said


def test_a_credential_is_its_business_when_its_issuer_is_listed() -> None:
    validator = plugin(MovableClock(), DeafHttp())
    assert validator.recognizes(Unverified(token_type=ACCESS_TOKEN, issuer=ISSUER))
    assert not validator.recognizes(Unverified(token_type=ACCESS_TOKEN, issuer="https://another.example"))


@pytest.mark.parametrize("listed", ["read", {"read": True}, ["read", 5], [None], 5])
async def test_a_list_of_scopes_that_is_none_proves_nothing(listed: object) -> None:
    clock = MovableClock()
    forge = AccessTokenForge(ISSUER, STS, clock)
    token = forge.jwt(scope=ABSENT, scp=listed)
    with pytest.raises(CredentialMalformed, match="scp is not a list of texts"):
        await plugin(clock, DeafHttp(), jwks=forge.jwks).validate(Credential(token=token, token_type=ACCESS_TOKEN, role=Role.SUBJECT))
