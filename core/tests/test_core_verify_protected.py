"""An application behind a verifier: who gets through to it, and what the others are told (RFC 6750)."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.testing import AccessTokenForge, DeafHttp, MovableClock, ScriptedHttp
from cambist.verify import Protected, SpentHere, Verifier
from cambist.verify.execution import digest

ISSUER, API = "https://sts.example.test", "https://api.example.test"
CHALLENGE = re.compile(r'Bearer(?: (?:[a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")(?:, [a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")*)?')


class Reached:
    """An application that keeps what it was reached with."""

    def __init__(self) -> None:
        self.scopes: list[MutableMapping[str, Any]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        self.scopes.append(scope)
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


class Stage:
    """An API, the issuer that it trusts, and a client of it."""

    def __init__(self, **more: Any) -> None:
        self.clock, self.app = MovableClock(), Reached()
        self.forge = AccessTokenForge(ISSUER, API, self.clock)
        transport = more.pop("transport", None) or ScriptedHttp({f"{ISSUER}/jwks": self.forge.jwks})
        self.verifier = Verifier(
            issuer=ISSUER,
            audience=API,
            jwks_url=f"{ISSUER}/jwks",
            http=httpx.AsyncClient(transport=transport),
            spent=SpentHere(self.clock),
            clock=self.clock,
        )
        self.protected = Protected(self.app, self.verifier, **{"scope": {"read"}, "url": API, **more})
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.protected), base_url="http://behind-a-proxy")

    def token(self, **claims: Any) -> str:
        return self.forge.jwt(**{"zone_id": "default", **claims})

    def bound(self, **changes: Any) -> str:
        execution = {"htm": "POST", "htu": f"{API}/pay?to=bob", "nonce": "n", "payload_hash": digest(b"100"), **changes}
        return self.token(exec={name: value for name, value in execution.items() if value is not None})

    async def pay(self, token: str, method: str = "POST", target: str = "/pay?to=bob", content: bytes = b"100") -> httpx.Response:
        return await self.http.request(method, target, content=content, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_a_good_token_lets_through_and_the_application_finds_what_it_says(stage: Stage, scheme: str) -> None:
    answer = await stage.http.post("/x", content=b"body", headers={"authorization": scheme + stage.token(sub="ann")})
    assert (answer.status_code, answer.text, stage.app.bodies) == (200, "done", [b"body"])
    assert stage.app.scopes[0]["cambist.token"].subject == "ann"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic dTpw"}, {"authorization": "DPoP abc"}, {"authorization": ""}])
async def test_without_a_token_nothing_is_told_but_what_is_needed(stage: Stage, headers: dict[str, str]) -> None:
    answer = await stage.http.get("/x", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer scope="read"')
    assert answer.json()["reason"] == "token_missing"
    assert stage.app.scopes == []


async def test_an_application_that_wants_no_scope_challenges_with_the_bare_scheme() -> None:
    assert (await Stage(scope=()).http.get("/x")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer ä", "Bearer a,b", "Bearer =a"])
async def test_an_authorization_that_cannot_be_read_is_a_bad_request(stage: Stage, value: str) -> None:
    answer = await stage.http.get("/x", headers=[(b"authorization", value.encode())])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_two_authorizations_are_none(stage: Stage) -> None:
    good = f"Bearer {stage.token()}"
    answer = await stage.http.get("/x", headers=[("authorization", good), ("authorization", good)])
    assert (answer.status_code, answer.json()["reason"]) == (400, "authorization_malformed")


async def test_a_token_in_the_query_or_the_body_is_not_looked_at(stage: Stage) -> None:
    token = stage.token()
    for answer in (await stage.http.get(f"/x?access_token={token}"), await stage.http.post("/x", data={"access_token": token})):
        assert answer.json()["reason"] == "token_missing"


async def test_a_bad_token_is_told_its_reason_in_the_header_and_in_the_body(stage: Stage) -> None:
    answer = await stage.pay(stage.token(aud="https://other.example.test"))
    said = f"The token is for somebody else: expected {API}, seen https://other.example.test"
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", error_description="{said}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": said,
        "reason": "audience_mismatch",
        "details": {
            "expected": [API],
            "seen": ["https://other.example.test"],
            "hint": "Ask the token service for a token with the expected audience.",
        },
    }


async def test_a_token_without_the_scope_is_told_which(stage: Stage) -> None:
    answer = await stage.pay(stage.token(scope="write"))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope", ')
    assert answer.headers["www-authenticate"].endswith(', scope="read"')


async def test_what_cannot_be_told_is_no_refusal_of_the_token() -> None:
    stage = Stage(transport=DeafHttp())
    answer = await stage.pay(stage.token())
    assert (answer.status_code, answer.json()["reason"], answer.headers["retry-after"]) == (503, "keys_unavailable", "5")
    assert "www-authenticate" not in answer.headers
    assert "nobody listens" not in answer.text
    assert stage.app.scopes == []


@given(issuer=st.text(max_size=50))
async def test_the_challenge_is_well_formed_whatever_the_token_says(issuer: str) -> None:
    stage = Stage()
    answer = await stage.pay(stage.token(iss=issuer, zone_id=issuer))
    assert answer.status_code == 401
    assert CHALLENGE.fullmatch(answer.headers["www-authenticate"])


@given(value=st.binary(max_size=60))
async def test_whatever_stands_in_the_header_nobody_gets_through_and_nothing_breaks(value: bytes) -> None:
    stage = Stage()
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"authorization", value)]}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await stage.protected(scope, receive, send)
    assert sent[0]["status"] in (400, 401)
    assert stage.app.scopes == []


# ── tokens for one request ──────────────────────────────────────────────────────────────────────────────


async def test_a_token_for_one_request_is_good_for_it_once(stage: Stage) -> None:
    token = stage.bound()
    assert (await stage.pay(token)).status_code == 200
    assert stage.app.bodies == [b"100"]
    again = await stage.pay(token)
    assert (again.status_code, again.json()["reason"]) == (401, "replayed")
    assert stage.app.bodies == [b"100"]


OTHER_REQUESTS: list[dict[str, Any]] = [
    {"method": "PUT"},
    {"target": "/pay?to=eve"},
    {"target": "/pay"},
    {"target": "/pay?to=bob&to=eve"},
    {"target": "/pay/?to=bob"},
    {"target": "/PAY?to=bob"},
    {"target": "/x/%2e%2e/pay?to=bob"},
    {"target": "/p%61y?to=bob"},
    {"content": b"1000"},
    {"content": b""},
]


@pytest.mark.parametrize("other", OTHER_REQUESTS, ids=str)
async def test_it_is_good_for_no_other_request_and_not_used_up_by_one(stage: Stage, other: dict[str, Any]) -> None:
    token = stage.bound()
    refused = await stage.pay(token, **other)
    assert (refused.status_code, refused.json()["reason"]) == (401, "execution_mismatch")
    assert stage.app.scopes == []
    assert (await stage.pay(token)).status_code == 200


@pytest.mark.parametrize("url", ["HTTPS://API.example.test/pay?to=bob", "https://api.example.test:443/pay?to=bob"])
async def test_one_url_is_one_however_its_host_is_written(stage: Stage, url: str) -> None:
    assert (await stage.pay(stage.bound(htu=url))).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"htu": "https://api.example.test:8443/pay?to=bob"},
        {"htu": "http://api.example.test/pay?to=bob"},
        {"htu": "https://api.example.test.evil.test/pay?to=bob"},
        {"htu": "https://u@api.example.test/pay?to=bob"},
        {"htu": "https://api.example.test:x/pay?to=bob"},
        {"htm": "post"},
        {"payload_hash": None},
        {"payload_hash": digest(b"100") + "="},
        {"payload_hash": ""},
    ],
    ids=str,
)
async def test_a_token_that_names_another_request_is_refused(stage: Stage, changes: dict[str, Any]) -> None:
    assert (await stage.pay(stage.bound(**changes))).json()["reason"] == "execution_mismatch"


@pytest.mark.parametrize(
    "changes",
    [{"nonce": None}, {"htm": None}, {"htu": None}, {"nonce": 1}, {"payload_hash": ["x"]}, {"payload_hash": "ä"}, {"also": "x"}],
    ids=str,
)
async def test_an_execution_scope_that_is_not_understood_is_not_met(stage: Stage, changes: dict[str, Any]) -> None:
    assert (await stage.pay(stage.bound(**changes))).json()["reason"] == "credential_malformed"


@pytest.mark.parametrize("value", [None, [], "GET", {}])
async def test_an_execution_scope_of_another_kind_is_not_met(stage: Stage, value: object) -> None:
    assert (await stage.pay(stage.token(exec=value))).json()["reason"] == "credential_malformed"


async def test_a_request_without_a_body_needs_no_hash(stage: Stage) -> None:
    token = stage.bound(htm="GET", payload_hash=None)
    assert (await stage.pay(token, "GET", content=b"x")).json()["reason"] == "execution_mismatch"
    assert (await stage.pay(token, "GET", content=b"")).status_code == 200


async def test_an_api_that_does_not_say_its_url_takes_no_such_token() -> None:
    stage = Stage(url=None)
    answer = await stage.pay(stage.bound())
    assert (answer.status_code, answer.json()["reason"]) == (401, "execution_scope_unchecked")


async def test_whose_name_the_host_header_says_changes_nothing(stage: Stage) -> None:
    token = stage.bound(htu="https://evil.example.test/pay?to=bob")
    headers = {"authorization": f"Bearer {token}", "host": "evil.example.test", "x-forwarded-host": "evil.example.test"}
    answer = await stage.http.post("/pay?to=bob", content=b"100", headers=headers)
    assert answer.json()["reason"] == "execution_mismatch"


async def test_a_body_that_is_too_long_to_be_judged_is_not_read_to_its_end() -> None:
    stage = Stage(max_body=10)
    assert (await stage.pay(stage.token(), content=b"x" * 100)).status_code == 200
    answer = await stage.pay(stage.bound(), content=b"x" * 11)
    assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")


async def test_a_store_that_does_not_answer_lets_nobody_through() -> None:
    class Broken:
        async def spend(self, key: str, expires_at: float) -> bool:
            raise ConnectionError("secret-host:6379")

    stage = Stage()
    stage.verifier._spent = Broken()
    answer = await stage.pay(stage.bound())
    assert (answer.status_code, answer.json()["reason"]) == (503, "spent_unavailable")
    assert "secret-host" not in answer.text
    assert stage.app.scopes == []


@pytest.mark.parametrize("answer", [None, 0, "OK", 1])
async def test_a_store_that_does_not_say_true_has_not_said_that_it_is_the_first_time(answer: Any) -> None:
    class Vague:
        async def spend(self, key: str, expires_at: float) -> Any:
            return answer

    stage = Stage()
    stage.verifier._spent = Vague()
    assert (await stage.pay(stage.bound())).json()["reason"] == "replayed"


async def test_what_was_spent_is_remembered_until_the_token_ends_and_then_forgotten() -> None:
    clock = MovableClock()
    spent = SpentHere(clock)
    assert [await spent.spend("a", clock() + 30), await spent.spend("a", clock() + 30), await spent.spend("b", clock() + 90)] == [
        True,
        False,
        True,
    ]
    clock.move(61)
    assert await spent.spend("c", clock() + 90)
    assert sorted(spent._ends) == ["b", "c"]
    assert not await spent.spend("b", clock() + 30)


async def test_a_client_that_hangs_up_before_its_body_has_come_is_not_answered(stage: Stage) -> None:
    head = (b"authorization", f"Bearer {stage.bound()}".encode())
    scope = {"type": "http", "method": "POST", "path": "/pay", "query_string": b"to=bob", "headers": [head]}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await stage.protected(scope, receive, send)
    assert (sent, stage.app.scopes) == ([], [])


# ── what is no HTTP request ─────────────────────────────────────────────────────────────────────────────


async def _spoken(stage: Stage, scope: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": f"{scope['type']}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await stage.protected({"headers": [], **scope}, receive, send)
    return sent


async def test_the_lifespan_is_the_applications(stage: Stage) -> None:
    await _spoken(stage, {"type": "lifespan"})
    assert [scope["type"] for scope in stage.app.scopes] == ["lifespan"]


async def test_a_websocket_is_opened_with_a_good_token_only(stage: Stage) -> None:
    assert await _spoken(stage, {"type": "websocket"}) == [{"type": "websocket.close", "code": 1008}]
    told = await _spoken(stage, {"type": "websocket", "extensions": {"websocket.http.response": {}}})
    assert [message["type"] for message in told] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert told[0]["status"] == 401
    assert stage.app.scopes == []
    good = (b"authorization", f"Bearer {stage.token(sub='ann')}".encode())
    await _spoken(stage, {"type": "websocket", "headers": [good]})
    assert stage.app.scopes[0]["cambist.token"].subject == "ann"


async def test_a_websocket_is_not_what_a_token_for_one_request_is_for(stage: Stage) -> None:
    head = (b"authorization", f"Bearer {stage.bound(htm='GET', htu=f'{API}/', payload_hash=None)}".encode())
    assert await _spoken(stage, {"type": "websocket", "headers": [head]}) == [{"type": "websocket.close", "code": 1008}]


def test_one_text_is_no_set_of_scopes(stage: Stage) -> None:
    with pytest.raises(TypeError, match="not one text"):
        Protected(stage.app, stage.verifier, scope="read")


def test_the_hash_of_a_body_is_its_sha_256_without_padding() -> None:
    assert digest(b"") == base64.urlsafe_b64encode(
        bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ).decode().rstrip("=")
