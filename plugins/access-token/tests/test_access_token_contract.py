"""`access-token` keeps the contract of every validator, for JWTs and for tokens that only their issuer can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from cambist import Credential, Role, Validator
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ISSUER as STS
from cambist.testing import AccessTokenForge, DeafHttp, MovableClock, ScriptedHttp, ValidatorContract
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
class TestJwts(ValidatorContract):
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
        return OpaqueTokens(plugin(clock, Introspecting(clock, token), introspection=ASKED).asked[ISSUER])

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (OpaqueTokens(plugin(clock, DeafHttp(), introspection=ASKED).asked[ISSUER]),)

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        return (SECRET,)
