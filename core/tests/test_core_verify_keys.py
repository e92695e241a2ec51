"""Where a verifier finds the keys of its issuer, and how long it believes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cambist.jwks import HARD_AGE, REFETCH_FLOOR, RETRY_FLOOR
from cambist.testing import AccessTokenForge, MovableClock
from cambist.verify import KeysUnavailable, TokenRefused, Verifier
from cambist.verify.published import MAX_BODY, metadata_url

ISSUER, API = "https://sts.example.test", "https://api.example.test"
METADATA = f"{ISSUER}/.well-known/oauth-authorization-server"
KEYS = f"{ISSUER}/.well-known/jwks.json"


class Issuer:
    """Publishes the keys that it says, signs with one of them, and counts who asks."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.forges = [self.made("k1")]
        self.published = self.forges
        self.headers = {"cache-control": "public, max-age=300"}
        self.trouble: Callable[[httpx.Request], httpx.Response] | None = None
        self.metadata: Any = {"issuer": ISSUER, "jwks_uri": KEYS}
        self.asked: list[str] = []

    def made(self, kid: str) -> AccessTokenForge:
        return AccessTokenForge(ISSUER, API, self.clock, kid=kid)

    def token(self, forge: AccessTokenForge | None = None, zone: str = "default") -> str:
        return (forge or self.forges[-1]).jwt(zone_id=zone)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        await asyncio.sleep(0)
        if self.trouble is not None:
            return self.trouble(request)
        if str(request.url) == METADATA:
            return httpx.Response(404) if self.metadata is None else httpx.Response(200, json=self.metadata)
        return httpx.Response(200, json={"keys": [key for forge in self.published for key in forge.jwks["keys"]]}, headers=self.headers)

    def verifier(self, **more: Any) -> Verifier:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), follow_redirects=True)
        return Verifier(**{"issuer": ISSUER, "audience": API, "http": http, "clock": self.clock, **more})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_keys_are_found_by_the_metadata_of_the_issuer_and_the_zone_is_named(issuer: Issuer) -> None:
    await issuer.verifier().verify(issuer.token())
    await issuer.verifier(zone="acme").verify(issuer.token(zone="acme"))
    assert issuer.asked == [METADATA, f"{KEYS}?zone_id=default", METADATA, f"{KEYS}?zone_id=acme"]


async def test_without_metadata_they_are_where_every_service_has_them(issuer: Issuer) -> None:
    issuer.metadata = None
    await issuer.verifier().verify(issuer.token())
    assert issuer.asked == [METADATA, f"{KEYS}?zone_id=default"]


async def test_a_page_of_keys_that_is_not_the_common_one_is_asked_as_it_is_named(issuer: Issuer) -> None:
    issuer.metadata = {"issuer": ISSUER, "jwks_uri": "https://keys.example.test/of/acme"}
    await issuer.verifier().verify(issuer.token())
    assert issuer.asked == [METADATA, "https://keys.example.test/of/acme"]


async def test_a_url_that_was_given_is_asked_as_it_is(issuer: Issuer) -> None:
    await issuer.verifier(jwks_url=f"{KEYS}?zone_id=x").verify(issuer.token())
    assert issuer.asked == [f"{KEYS}?zone_id=x"]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("https://sts.example.test", "https://sts.example.test/.well-known/oauth-authorization-server"),
        ("https://sts.example.test/", "https://sts.example.test/.well-known/oauth-authorization-server"),
        ("https://sts.example.test/z/acme", "https://sts.example.test/.well-known/oauth-authorization-server/z/acme"),
        ("http://localhost:8693", "http://localhost:8693/.well-known/oauth-authorization-server"),
    ],
)
def test_the_metadata_of_an_issuer_with_a_path_stand_before_the_path(name: str, url: str) -> None:
    assert metadata_url(name) == url


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": f"{ISSUER}/", "jwks_uri": KEYS},
        {"issuer": "https://elsewhere.example.test", "jwks_uri": KEYS},
        {"jwks_uri": KEYS},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": ["x"]},
        {"issuer": ISSUER, "jwks_uri": "http://sts.example.test/jwks"},
        {"issuer": ISSUER, "jwks_uri": "http://localhost/jwks"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/keys"},
        {"issuer": ISSUER, "jwks_uri": "https://user@sts.example.test/jwks"},
        ["issuer"],
        None,
    ],
)
async def test_metadata_that_are_not_this_issuers_lead_nowhere(issuer: Issuer, metadata: object) -> None:
    issuer.metadata = metadata if metadata is not None else "text"
    with pytest.raises(KeysUnavailable):
        await issuer.verifier().verify(issuer.token())
    assert issuer.asked == [METADATA]


async def test_keys_are_fetched_once_for_all_who_wait_and_then_kept(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await asyncio.gather(*(verifier.verify(issuer.token()) for _ in range(50)))
    issuer.clock.move(299)
    await verifier.verify(issuer.token())
    assert len(issuer.asked) == 2


async def test_a_rotation_is_seen_by_a_caching_verifier_at_the_first_token_of_the_new_key(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    old = issuer.token()
    await verifier.verify(old)
    issuer.forges.append(issuer.made("k2"))
    issuer.clock.move(REFETCH_FLOOR)
    await verifier.verify(issuer.token())
    await verifier.verify(old)
    assert len(issuer.asked) == 4


async def test_a_key_that_was_withdrawn_opens_nothing_once_the_keys_were_fetched_again(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await verifier.verify(issuer.token())
    stolen, issuer.published = issuer.forges[0], [issuer.made("k2")]
    issuer.clock.move(301)
    await verifier.verify(issuer.token(stolen))  # judged by the last good keys, while the new ones are on their way
    await _settled()
    with pytest.raises(TokenRefused, match="no usable key"):
        await verifier.verify(issuer.token(stolen))


async def test_unknown_keys_cause_one_fetch_in_a_minute_whatever_the_load(issuer: Issuer) -> None:
    verifier, stranger = issuer.verifier(), issuer.made("k9")
    await verifier.verify(issuer.token())
    issuer.clock.move(REFETCH_FLOOR)
    for _ in range(20):
        with pytest.raises(TokenRefused) as caught:
            await verifier.verify(issuer.token(stranger))
        assert caught.value.reason == "key_unknown"
    assert len(issuer.asked) == 4


async def test_max_age_is_heeded_within_bounds(issuer: Issuer) -> None:
    issuer.headers = {"cache-control": "max-age=1"}
    verifier = issuer.verifier()
    await verifier.verify(issuer.token())
    issuer.clock.move(59)
    await verifier.verify(issuer.token())
    assert len(issuer.asked) == 2
    issuer.clock.move(2)
    await verifier.verify(issuer.token())
    await _settled()
    assert len(issuer.asked) == 4


async def test_the_last_good_keys_serve_while_the_issuer_is_down_and_not_for_ever(issuer: Issuer) -> None:
    verifier, short = issuer.verifier(), issuer.verifier(keys_kept=1000)
    for one in (verifier, short):
        await one.verify(issuer.token())
    issuer.trouble = lambda _: httpx.Response(503)
    issuer.clock.move(1001)
    await verifier.verify(issuer.token())
    with pytest.raises(KeysUnavailable):
        await short.verify(issuer.token())
    issuer.clock.move(HARD_AGE)
    with pytest.raises(KeysUnavailable):
        await verifier.verify(issuer.token())
    issuer.trouble = None
    issuer.clock.move(RETRY_FLOOR)
    await verifier.verify(issuer.token())


@pytest.mark.parametrize(
    "trouble",
    [
        lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example.test/jwks"}),
        lambda _: httpx.Response(200, content=b"x" * (MAX_BODY + 1)),
        lambda _: httpx.Response(200, content=b"{}"),
        lambda _: httpx.Response(200, content=b'{"keys": [], "keys": []}'),
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"x")),
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(500),
        lambda request: (_ for _ in ()).throw(httpx.ReadTimeout("slow", request=request)),
        lambda request: (_ for _ in ()).throw(ValueError("what a library did not foresee")),
    ],
)
async def test_an_answer_that_is_no_key_set_is_none(issuer: Issuer, trouble: Callable[[httpx.Request], httpx.Response]) -> None:
    issuer.trouble = trouble
    with pytest.raises(KeysUnavailable):
        await issuer.verifier(jwks_url=KEYS).verify(issuer.token())
    assert issuer.asked == [KEYS]


async def test_a_service_that_hangs_is_not_waited_for_long(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.verify.published.TIMEOUT", 0.02)

    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx.AsyncClient(transport=httpx.MockTransport(never))
    with pytest.raises(KeysUnavailable):
        await issuer.verifier(http=http).verify(issuer.token())


async def _settled() -> None:
    """Whatever was begun beside us has ended."""
    for _ in range(20):
        await asyncio.sleep(0)
