"""Signed answers of an introspection endpoint (RFC 9701), and how many answers are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest

from cambist import Unavailable
from cambist import introspection as module
from cambist.egress import Egress, EgressSettings
from cambist.introspection import Introspected, Introspection
from cambist.jwts import Jwts
from cambist.testing import ABSENT, Forge, MovableClock, ScriptedHttp
from cambist.trusted_issuer import TrustedIssuer

AS, URL, US = "https://as.example", "https://as.example/introspect", "cambist"
SIGNED = {"content-type": "application/token-introspection+jwt; charset=utf-8"}


class Endpoint:
    """An authorization server that signs what it says, whatever that is."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.forge = Forge(AS, US, self.clock)
        now = int(self.clock())
        self.active: dict[str, Any] = {"active": True, "iss": AS, "sub": "alice", "aud": "https://api", "iat": now, "exp": now + 600}
        self.answer = httpx.Response(200, headers=SIGNED, content=self.signed().encode())
        self.requests: list[httpx.Request] = []
        self.http = Egress(EgressSettings(), ScriptedHttp({URL: self._answered}))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.answer.status_code, headers=self.answer.headers, content=self.answer.content)

    def signed(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """As RFC 9701 section 5 has it: no `sub` and no `exp` of its own."""
        claims = {"exp": ABSENT, "sub": ABSENT, "jti": ABSENT, "token_introspection": self.active, **changes}
        return self.forge.jwt({"typ": "token-introspection+jwt", **(header or {})}, **claims)

    def asked(self, *, signed: bool = True) -> Introspected:
        jwts = Jwts(self.http, self.clock)
        expected = TrustedIssuer(issuer=AS, audience=("https://api",), jwks=self.forge.jwks).expected(jwts, "at+jwt")
        how = Introspection.model_validate({"url": URL, "client_id": US, "client_secret": "s", "signed": signed})
        return Introspected(expected, how, self.http, jwts, self.clock)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    async with endpoint.http:
        yield endpoint


async def test_a_signed_answer_for_us_is_believed(endpoint: Endpoint) -> None:
    verified = await endpoint.asked().verified("opaque")
    assert (verified.subject, verified.claims) == ("alice", endpoint.active)
    [request] = endpoint.requests
    assert request.headers["accept"] == "application/token-introspection+jwt"
    assert parse_qs(request.content.decode()) == {"token": ["opaque"], "token_type_hint": ["access_token"]}


@pytest.mark.parametrize(
    ("header", "changes", "cause"),
    [
        ({"typ": "JWT"}, {}, "of this kind"),
        ({"typ": "at+jwt"}, {}, "of this kind"),
        ({"alg": "none"}, {}, "algorithm"),
        ({"kid": "other"}, {}, "key"),
        ({}, {"iss": "https://other.example"}, "trusts the issuer"),
        ({}, {"aud": "somebody-else"}, "for somebody else"),
        ({}, {"aud": [US, "somebody-else"]}, "for somebody else"),
        ({}, {"aud": ABSENT}, "for somebody else"),
        ({}, {"iat": 1_000_000_000}, "not of this moment"),
        ({}, {"iat": ABSENT}, "not of this moment"),
        ({}, {"iat": "now"}, "not of this moment"),
        ({}, {"token_introspection": ABSENT}, "no introspection response"),
        ({}, {"token_introspection": [True]}, "no introspection response"),
        ({}, {"token_introspection": {"active": "yes"}}, "no introspection response"),
    ],
)
async def test_an_answer_that_is_not_soundly_signed_says_nothing_of_the_token(
    endpoint: Endpoint, header: dict[str, Any], changes: dict[str, Any], cause: str
) -> None:
    endpoint.answer = httpx.Response(200, headers=SIGNED, content=endpoint.signed(header, **changes).encode())
    with pytest.raises(Unavailable) as refusal:
        await endpoint.asked().verified("opaque")
    assert cause in str(refusal.value.facts["cause"])


@pytest.mark.parametrize("body", ["", "x", "a.b.c", "\u00ff"])
async def test_what_is_no_jwt_says_nothing_either(endpoint: Endpoint, body: str) -> None:
    endpoint.answer = httpx.Response(200, headers=SIGNED, content=body.encode("latin-1"))
    with pytest.raises(Unavailable):
        await endpoint.asked().verified("opaque")


async def test_a_plain_answer_is_not_taken_where_signed_ones_were_asked_for(endpoint: Endpoint) -> None:
    endpoint.answer = httpx.Response(200, json=endpoint.active)
    with pytest.raises(Unavailable) as refusal:
        await endpoint.asked().verified("opaque")
    assert refusal.value.facts["cause"] == "it is not signed"
    assert (await endpoint.asked(signed=False).verified("opaque")).subject == "alice"


async def test_no_more_answers_are_kept_than_there_is_room_for(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 3)
    endpoint.answer = httpx.Response(200, content=msgspec.json.encode(endpoint.active))
    asked = endpoint.asked(signed=False)
    for number in range(5):
        await asked.verified(f"token-{number}")
    for number in (2, 3, 4):
        await asked.verified(f"token-{number}")
    assert len(endpoint.requests) == 5
    await asked.verified("token-0")
    assert len(endpoint.requests) == 6
