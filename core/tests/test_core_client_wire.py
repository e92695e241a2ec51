"""What a client sends, and what it makes of the answer."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from cambist.client import (
    Application,
    AsyncClient,
    Client,
    CredentialUnreadable,
    ExchangeFailed,
    ExchangeRefused,
    ExchangeUnavailable,
    IssuedToken,
    by_assertion,
    by_secret,
)
from cambist.client.exchange import MAX_ANSWER
from cambist.testing import MovableClock

STS = "https://sts.example.test"
GOOD = {"access_token": "issued-secret", "token_type": "Bearer", "expires_in": 300, "scope": "read"}
SECRET = "s3cr:t/ö"

Answering = Callable[[httpx.Request], httpx.Response]
Ask = Callable[..., Any]


class Asked:
    """A service that answers as the test says, and keeps what it was sent."""

    def __init__(self, answer: Answering | dict[str, Any] = GOOD, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer, self._status, self._headers = answer, status, headers or {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if callable(self._answer):
            return self._answer(request)
        return httpx.Response(self._status, json=self._answer, headers=self._headers)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.requests[-1].content.decode(), keep_blank_values=True)

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.requests[-1].content)
        return document


@pytest.fixture(params=["async", "blocking"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One exchange by either client: `await ask(asked, client={...}, **asked)`."""

    async def by_async(asked: Answering, client: dict[str, Any], **wanted: Any) -> IssuedToken:
        http = httpx.AsyncClient(transport=httpx.MockTransport(asked), follow_redirects=True, auth=("other", "user"))
        async with AsyncClient(STS, **{"subject": "subject-secret", "http": http, **client}) as made:
            return await made.exchange(**wanted)

    async def by_blocking(asked: Answering, client: dict[str, Any], **wanted: Any) -> IssuedToken:
        http = httpx.Client(transport=httpx.MockTransport(asked), follow_redirects=True, auth=("other", "user"))
        with Client(STS, **{"subject": "subject-secret", "http": http, **client}) as made:
            return await asyncio.to_thread(made.exchange, **wanted)

    return by_async if request.param == "async" else by_blocking


async def test_the_form_endpoint_is_asked_as_rfc_8693_has_it(ask: Ask) -> None:
    asked = Asked()
    wanted = {"audience": ["a", "b"], "resource": "https://r", "scope": {"write", "read"}, "ttl": 60}
    await ask(asked, {"actor": "actor-secret", "actor_type": "urn:x:actor", "zone": "acme"}, **wanted)
    (request,) = asked.requests
    assert (request.method, str(request.url)) == ("POST", f"{STS}/oauth/2/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token": ["subject-secret"],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
        "actor_token": ["actor-secret"],
        "actor_token_type": ["urn:x:actor"],
        "audience": ["a", "b"],
        "resource": ["https://r"],
        "scope": ["read write"],
        "zone_id": ["acme"],
        "ttl_seconds": ["60"],
    }


async def test_the_json_endpoint_is_asked_as_its_page_has_it(ask: Ask) -> None:
    asked = Asked()
    execution = {"htm": "GET", "htu": "https://api", "nonce": "n"}
    await ask(asked, {"dialect": "json"}, audience="https://api", scope="read", execution=execution)
    assert str(asked.requests[0].url) == f"{STS}/v1/exchange/token"
    assert asked.requests[0].headers["content-type"] == "application/json"
    assert asked.json == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "subject-secret",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": "https://api",
        "scope": "read",
        "execution_scope": execution,
    }


async def test_without_a_subject_the_application_asks_for_itself(ask: Ask) -> None:
    asked = Asked()
    await ask(asked, {"subject": None, "application": by_secret("shop", SECRET)}, audience="a")
    assert asked.form == {"grant_type": ["client_credentials"], "audience": ["a"]}


async def test_an_execution_scope_has_no_place_in_a_form(ask: Ask) -> None:
    asked = Asked()
    with pytest.raises(ValueError, match="dialect json"):
        await ask(asked, {}, audience="a", execution={"htm": "GET"})
    assert asked.requests == []


# ── who calls ───────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_proved_by_what_the_environment_or_the_http_client_brings(ask: Ask) -> None:
    asked = Asked()
    await ask(asked, {}, audience="a")
    assert "authorization" not in asked.requests[0].headers


@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_a_secret_goes_in_the_header_form_encoded_or_in_the_body(ask: Ask, dialect: str) -> None:
    asked = Asked()
    await ask(asked, {"dialect": dialect, "application": by_secret("urn:shop", SECRET)}, audience="a")
    sent = base64.b64decode(asked.requests[0].headers["authorization"].removeprefix("Basic ")).decode()
    assert sent == "urn%3Ashop:s3cr%3At%2F%C3%B6"
    await ask(asked, {"dialect": dialect, "application": by_secret("urn:shop", SECRET, in_body=True)}, audience="a")
    body = asked.json if dialect == "json" else {name: values[0] for name, values in asked.form.items()}
    assert (body["client_id"], body["client_secret"]) == ("urn:shop", SECRET)
    assert "authorization" not in asked.requests[1].headers


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256"}).as_dict(private=True)))
    return path


async def test_an_assertion_is_made_for_each_request_and_names_the_issuer_alone(ask: Ask, key: Path) -> None:
    asked, clock = Asked(), MovableClock()
    application = by_assertion("shop", key, STS, clock=clock)
    claims = []
    for _ in range(2):
        await ask(asked, {"application": application}, audience="a")
        assert asked.form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        token = jwt.decode(asked.form["client_assertion"][0], ECKey.import_key(json.loads(key.read_text())), algorithms=["ES256"])
        claims.append(token.claims)
    assert (claims[0]["iss"], claims[0]["sub"], claims[0]["aud"]) == ("shop", "shop", STS)
    assert claims[0]["exp"] - clock() <= 60
    assert claims[0]["jti"] != claims[1]["jti"]


@pytest.mark.parametrize("content", [None, b"", b"no key", b"{}", b'{"kty": "oct", "k": "AA", "alg": "HS256", "kid": "x"}', b"\xff"])
async def test_a_key_that_is_none_asks_nobody(ask: Ask, tmp_path: Path, content: bytes | None) -> None:
    path, asked = tmp_path / "bad.json", Asked()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CredentialUnreadable, match=r"bad\.json"):
        await ask(asked, {"application": by_assertion("shop", path, STS)}, audience="a")
    assert asked.requests == []


# ── where credentials come from ─────────────────────────────────────────────────────────────────────────


async def test_a_file_is_read_again_each_time_without_the_newline_at_its_end(ask: Ask, tmp_path: Path) -> None:
    path, asked = tmp_path / "token", Asked()
    for content in ("first\n", "second\n"):
        path.write_text(content)
        await ask(asked, {"subject": path, "actor": path, "application": by_secret("shop", path, in_body=True)}, audience="a")
        assert {asked.form[name][0] for name in ("subject_token", "actor_token", "client_secret")} == {content.strip()}


async def test_a_function_gives_a_credential_each_time(ask: Ask) -> None:
    asked, given_out = Asked(), iter(["first", "second"])
    for expected in ("first", "second"):
        await ask(asked, {"subject": lambda: next(given_out)}, audience="a")
        assert asked.form["subject_token"] == [expected]


async def test_an_async_function_gives_one_too() -> None:
    async def give() -> str:
        await asyncio.sleep(0)
        return "later"

    asked = Asked()
    http = httpx.AsyncClient(transport=httpx.MockTransport(asked))
    async with AsyncClient(STS, subject=give, http=http) as client:
        await client.token(audience="a")
    assert asked.form["subject_token"] == ["later"]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
async def test_a_file_without_a_credential_asks_nobody(ask: Ask, tmp_path: Path, content: bytes | None) -> None:
    path, asked = tmp_path / "missing", Asked()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CredentialUnreadable, match="missing") as caught:
        await ask(asked, {"subject": path}, audience="a")
    assert (caught.value.reason, caught.value.retryable, asked.requests) == ("credential_unreadable", False, [])


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_answer_says_what_it_is_and_until_when(ask: Ask) -> None:
    clock = MovableClock()
    more = {"issued_token_type": "urn:x", "target_resources": ["a"]}
    token = await ask(Asked(GOOD | more, headers={"cambist-decision-id": "d-1"}), {"clock": clock}, audience="a")
    assert (token.access_token, token.authorization) == ("issued-secret", "Bearer issued-secret")
    assert (token.scope, token.issued_token_type, token.decision_id) == ({"read"}, "urn:x", "d-1")
    assert (token.issued_at, token.expires_at) == (clock(), clock() + 300)
    assert token.document["target_resources"] == ["a"]


async def test_a_refusal_carries_reason_hint_and_decision(ask: Ask) -> None:
    document = {
        "error": "invalid_target",
        "error_description": "no such target",
        "reason": "target_denied",
        "decision_id": "d-2",
        "details": {"hint": "Ask for another."},
    }
    with pytest.raises(ExchangeRefused) as caught:
        await ask(Asked(document, 400), {}, audience="a")
    error = caught.value
    assert (error.error, error.reason, error.hint, error.decision_id) == ("invalid_target", "target_denied", "Ask for another.", "d-2")
    assert (error.status, error.retryable, error.document["details"]) == (400, False, {"hint": "Ask for another."})
    assert str(error) == "target_denied: no such target; Ask for another. (decision d-2)"


async def test_another_servers_refusal_is_told_by_its_code(ask: Ask) -> None:
    with pytest.raises(ExchangeRefused, match=r"^invalid_client: the service answered 401$"):
        await ask(Asked({"error": "invalid_client"}, 401), {}, audience="a")


@pytest.mark.parametrize(("status", "retryable"), [(429, True), (500, False), (502, True), (503, True), (504, True)])
async def test_a_service_that_cannot_decide_has_not_refused(ask: Ask, status: int, retryable: bool) -> None:
    asked = Asked({"error": "temporarily_unavailable"}, status, {"retry-after": "7"})
    with pytest.raises(ExchangeUnavailable) as caught:
        await ask(asked, {}, audience="a")
    assert (caught.value.status, caught.value.retryable, caught.value.retry_after) == (status, retryable, 7)
    assert len(asked.requests) == 1


@pytest.mark.parametrize("header", ["-1", "1.5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "²"])
async def test_a_retry_after_that_is_no_number_is_none(ask: Ask, header: str) -> None:
    asked = Asked(lambda _: httpx.Response(503, headers=[(b"retry-after", header.encode())]))
    with pytest.raises(ExchangeUnavailable) as caught:
        await ask(asked, {"patience": 10}, audience="a")
    assert (caught.value.retry_after, len(asked.requests)) == (None, 1)


ANSWERS: list[Answering] = [
    lambda _: httpx.Response(200, content=b""),
    lambda _: httpx.Response(200, content=b"<html>"),
    lambda _: httpx.Response(200, json=[]),
    lambda _: httpx.Response(200, content=b"[" * 100_000),
    lambda _: httpx.Response(200, content=b" " * (MAX_ANSWER + 1)),
    lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")),
    lambda _: httpx.Response(201, json=GOOD),
    lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example.test/"}),
    lambda _: httpx.Response(307, headers={"location": "https://elsewhere.example.test/"}),
    *(
        lambda _, change=change: httpx.Response(200, json=GOOD | change)
        for change in ({"access_token": ""}, {"access_token": 1}, {"token_type": None}, {"expires_in": "300"}, {"expires_in": True})
    ),
    *(lambda _, seconds=seconds: httpx.Response(200, json=GOOD | {"expires_in": seconds}) for seconds in (0, -1, 1e12)),
]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_is_not_that_of_a_token_endpoint_is_no_token(ask: Ask, answer: Answering) -> None:
    asked = Asked(answer)
    with pytest.raises(ExchangeUnavailable) as caught:
        await ask(asked, {}, audience="a")
    assert caught.value.reason == "answer_unclear"
    assert [request.url.host for request in asked.requests] == ["sts.example.test"]


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 400, 401, 403, 404, 500, 503]))
def test_whatever_is_answered_nothing_but_a_failure_is_raised(body: bytes, status: int) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)))
    with Client(STS, subject="x", http=http) as client, pytest.raises(ExchangeFailed):
        client.token(audience="a")


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ReadTimeout("subject-secret"), httpx.RemoteProtocolError("x")])
async def test_no_answer_is_told_without_the_words_of_the_library(ask: Ask, error: httpx.TransportError) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    asked = Asked(fail)
    with pytest.raises(ExchangeUnavailable) as caught:
        await ask(asked, {"patience": 10}, audience="a")
    assert str(caught.value) == f"no_answer: no answer from {STS}/oauth/2/token: {type(error).__name__}"
    assert (caught.value.retryable, len(asked.requests)) == (True, 1)


async def test_no_credential_is_in_what_is_printed_of_anything(ask: Ask, key: Path) -> None:
    seen: list[object] = [by_secret("shop", SECRET), by_assertion("shop", key, STS), Client(STS, subject="subject-secret")]
    seen.append(await ask(Asked(), {"actor": "actor-secret"}, audience="a"))
    with pytest.raises(ExchangeRefused) as caught:
        await ask(Asked({"error": "invalid_request"}, 400), {"application": by_secret("shop", SECRET)}, audience="a")
    seen += [caught.value, caught.value.__context__]
    for one in seen:
        printed = f"{one!r} {one}"
        assert not any(secret in printed for secret in ("issued-secret", "subject-secret", "actor-secret", SECRET)), printed
    Client.close(seen[2])  # type: ignore[arg-type]  # the third is one


@pytest.mark.parametrize("url", ["http://sts.example.test", "sts.example.test", "https://user:word@sts.example.test", "ftp://sts"])
def test_credentials_do_not_cross_a_network_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match=r"only https|without a host"):
        Client(url, subject="x")


def test_an_application_of_ones_own_is_a_function() -> None:
    asked = Asked()
    application = Application(client_id="shop", prove=lambda: ({"x-proof": "p"}, {"client_id": "shop"}))
    with Client(STS, application=application, subject="x", http=httpx.Client(transport=httpx.MockTransport(asked))) as client:
        client.exchange(audience="a")
    assert asked.requests[0].headers["x-proof"] == "p"
    assert asked.form["client_id"] == ["shop"]
