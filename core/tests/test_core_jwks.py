"""Where the keys of an issuer come from, and how long they are believed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from cambist import Unavailable
from cambist.egress import Egress, EgressSettings
from cambist.errors import KeyUnknown
from cambist.jwks import HARD_AGE, PATIENCE, REFETCH_FLOOR, RETRY_FLOOR, SOFT_AGE, RemoteKeys
from cambist.testing import MovableClock

ISSUER = "https://issuer.example/tenant"
URL = "https://keys.example/jwks"
_KEY = ECKey.generate_key("P-256").as_dict(private=False)


def key(kid: str) -> dict[str, Any]:
    return _KEY | {"kid": kid}


def document(*kids: str) -> dict[str, Any]:
    return {"keys": [key(kid) for kid in kids]}


@dataclass
class KeyServer:
    """Answers as the test says, and counts."""

    answer: Callable[[httpx.Request], httpx.Response] | None = None
    kids: tuple[str, ...] = ("a",)
    asked: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.hold is not None:
            await self.hold.wait()
        return self.answer(request) if self.answer else httpx.Response(200, json=document(*self.kids))

    def down(self) -> None:
        self.answer = lambda _: httpx.Response(503)

    def up(self, *kids: str) -> None:
        self.answer, self.kids = None, kids


@asynccontextmanager
async def remote(server: KeyServer, clock: MovableClock, url: str | None = URL, issuer: str = ISSUER) -> AsyncIterator[RemoteKeys]:
    async with Egress(EgressSettings(timeout=1), httpx.MockTransport(server)) as http:
        yield RemoteKeys(http, clock, issuer=issuer, jwks_url=url)


async def settled() -> None:
    """Whatever was begun beside us has ended."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_keys_are_fetched_when_they_are_first_needed_and_then_kept() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        assert server.asked == []
        for _ in range(5):
            assert (await keys.find("a", "ES256")).kid == "a"
        clock.move(SOFT_AGE)
        await keys.find("a", "ES256")
    assert server.asked == [URL]


async def test_one_fetch_serves_all_who_wait() -> None:
    server, clock = KeyServer(hold=asyncio.Event()), MovableClock()
    async with remote(server, clock) as keys:
        waiting = [asyncio.create_task(keys.find("a", "ES256")) for _ in range(50)]
        await settled()
        assert server.hold is not None
        server.hold.set()
        assert {found.kid for found in await asyncio.gather(*waiting)} == {"a"}
    assert len(server.asked) == 1


async def test_one_who_hangs_up_does_not_take_the_keys_from_the_others() -> None:
    server, clock = KeyServer(hold=asyncio.Event()), MovableClock()
    async with remote(server, clock) as keys:
        first, second = (asyncio.create_task(keys.find("a", "ES256")) for _ in range(2))
        await settled()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert server.hold is not None
        server.hold.set()
        assert (await second).kid == "a"
    assert len(server.asked) == 1


async def test_after_the_soft_age_nobody_waits_for_a_fetch_that_is_not_needed() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        clock.move(SOFT_AGE + 1)
        server.hold = asyncio.Event()
        assert (await keys.find("a", "ES256")).kid == "a"  # at once, while the server is silent
        await settled()
        server.hold.set()
        await settled()
        await keys.find("a", "ES256")
    assert len(server.asked) == 2


async def test_a_key_that_its_issuer_withdrew_is_gone_after_the_next_fetch() -> None:
    server, clock = KeyServer(kids=("a", "b")), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(SOFT_AGE + 1)
        await keys.find("b", "ES256")
        await settled()
        with pytest.raises(KeyUnknown):
            await keys.find("a", "ES256")


async def test_an_unknown_kid_is_looked_for_once_in_a_minute_whatever_the_load() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        for second in range(300):
            clock.move(1)
            for number in range(20):
                with pytest.raises(KeyUnknown):
                    await keys.find(f"random-{second}-{number}", "ES256")
    assert len(server.asked) == 1 + 300 / REFETCH_FLOOR


async def test_a_flood_of_unknown_kids_at_once_is_one_fetch() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        clock.move(REFETCH_FLOOR)
        told = await asyncio.gather(*(keys.find(f"random-{n}", "ES256") for n in range(200)), return_exceptions=True)
    assert {type(each) for each in told} == {KeyUnknown}
    assert len(server.asked) == 2


async def test_a_rotated_key_is_found_by_the_first_token_that_names_it() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("a", "b")
        clock.move(REFETCH_FLOOR)
        assert (await keys.find("b", "ES256")).kid == "b"


async def test_a_rotated_key_is_found_also_when_the_keys_are_being_fetched_for_their_age() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(SOFT_AGE + 1)
        assert (await keys.find("b", "ES256")).kid == "b"  # refused it would be, if the fetch that was just begun did not count
    assert len(server.asked) == 2


async def test_last_good_keys_serve_through_an_outage_of_a_day_and_not_longer() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.down()
        for _ in range(23):
            clock.move(3600)
            assert (await keys.find("a", "ES256")).kid == "a"
            await settled()
        clock.move(HARD_AGE - 23 * 3600)
        assert (await keys.find("a", "ES256")).kid == "a"
        clock.move(1)
        with pytest.raises(Unavailable) as refused:
            await keys.find("a", "ES256")
    assert refused.value.facts == {"what": f"the keys of {ISSUER}", "cause": "status 503"}


async def test_an_outage_of_ten_minutes_fails_no_token_of_known_keys_and_makes_none_wait() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        clock.move(SOFT_AGE - 1)
        server.hold = asyncio.Event()  # it takes connections and says nothing, the worst way to be down
        for _ in range(600):
            clock.move(1)
            async with asyncio.timeout(PATIENCE / 2):
                assert (await keys.find("a", "ES256")).kid == "a"
            await settled()
        server.hold.set()


@pytest.mark.parametrize("down", ["silent", "refusing"])
async def test_after_quiet_hours_the_first_token_is_judged_by_fresh_keys_or_after_a_moment_by_the_last_good_ones(
    down: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cambist.jwks.PATIENCE", 0.02)
    server, clock = KeyServer(kids=("a", "b")), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(3600)
        with pytest.raises(KeyUnknown):  # withdrawn meanwhile (K6)
            await keys.find("a", "ES256")
        clock.move(3600)
        if down == "silent":
            server.hold = asyncio.Event()
        else:
            server.down()
        asked = len(server.asked)
        assert (await keys.find("b", "ES256")).kid == "b"
        assert len(server.asked) == asked + 1  # it was tried
        began = asyncio.get_running_loop().time()
        for _ in range(100):  # and is not waited for again
            assert (await keys.find("b", "ES256")).kid == "b"
        assert asyncio.get_running_loop().time() - began < 0.02
        if server.hold is not None:
            server.hold.set()
        await settled()


async def test_all_who_come_at_once_after_quiet_hours_wait_for_the_same_fresh_keys() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(3600)
        told = await asyncio.gather(*(keys.find("a", "ES256") for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in told} == {KeyUnknown}
    assert len(server.asked) == 2


async def test_a_clock_that_is_set_back_makes_no_key_younger() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(-3600)
        await keys.find("a", "ES256")
        await settled()
        assert (await keys.find("b", "ES256")).kid == "b"


@pytest.mark.parametrize(
    ("stated", "fresh"),
    [
        ("max-age=120", 120),
        ("public, max-age=120, must-revalidate", 120),
        ('MAX-AGE="120"', 120),
        ("max-age=1", REFETCH_FLOOR),
        ("max-age=0", REFETCH_FLOOR),
        ("max-age=86400", SOFT_AGE),
        ("max-age=999999999999999999", SOFT_AGE),
        ("max-age=-1", SOFT_AGE),
        ("max-age=soon", SOFT_AGE),
        ("s-maxage=100", SOFT_AGE),
        ("x-max-age=100", SOFT_AGE),
        ("", SOFT_AGE),
    ],
)
async def test_an_issuer_may_ask_for_less_than_our_age_and_not_for_more(stated: str, fresh: float) -> None:
    server, clock = KeyServer(lambda _: httpx.Response(200, json=document("a"), headers={"cache-control": stated})), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        clock.move(fresh)
        await keys.find("a", "ES256")
        await settled()
        assert len(server.asked) == 1
        clock.move(1)
        await keys.find("a", "ES256")
        await settled()
        assert len(server.asked) == 2


async def test_keys_that_are_forgotten_are_not_believed_and_neither_are_those_that_were_under_way() -> None:
    server, clock = KeyServer(kids=("a",)), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        clock.move(SOFT_AGE + 1)
        server.hold = asyncio.Event()
        await keys.find("a", "ES256")  # an answer with `a` in it is under way
        await settled()
        keys.forget()
        held, server.hold = server.hold, None
        server.up("b")
        assert (await keys.find("b", "ES256")).kid == "b"
        held.set()
        await settled()
        with pytest.raises(KeyUnknown):
            await keys.find("a", "ES256")
    async with remote(server, clock) as keys:
        await keys.find("b", "ES256")
        server.down()
        keys.forget()
        with pytest.raises(Unavailable):  # nothing to fall back on
            await keys.find("b", "ES256")


async def test_trouble_with_an_issuer_is_told_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    server, clock = KeyServer(), MovableClock()
    server.down()
    async with remote(server, clock) as keys:
        assert keys.warning() is None
        with pytest.raises(Unavailable):
            await keys.find("a", "ES256")
        assert keys.warning() == "there are none: status 503"
        server.up("a")
        clock.move(RETRY_FLOOR)
        await keys.find("a", "ES256")
        assert keys.warning() is None
        server.down()
        for _ in range(2):
            clock.move(SOFT_AGE + 1)
            await keys.find("a", "ES256")
            await settled()
        assert keys.warning() == f"last good {2 * SOFT_AGE + 2:g} seconds ago: status 503"
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"the keys of {ISSUER} cannot be fetched: status 503",
        f"the keys of {ISSUER} can be fetched again",
        f"the keys of {ISSUER} cannot be fetched: status 503",
    ]


async def test_keys_that_are_left_out_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    server = KeyServer(lambda _: httpx.Response(200, json={"keys": [key("a"), key("b") | {"d": "AAAA"}]}))
    clock = MovableClock()
    async with remote(server, clock) as keys:
        for _ in range(3):
            await keys.find("a", "ES256")
            await settled()
            clock.move(SOFT_AGE + 1)
    assert [record.getMessage() for record in caplog.records] == [
        f"of the keys of {ISSUER} these are not used: ['b: its private half is public, so it proves nothing']"
    ]


@pytest.mark.parametrize(
    "kind", ["application/json", "application/jwk-set+json", "text/plain", "text/html", "application/octet-stream", ""]
)
async def test_a_key_set_is_known_by_what_it_is_and_not_by_its_media_type(kind: str) -> None:
    server = KeyServer(lambda _: httpx.Response(200, content=json.dumps(document("a")), headers={"content-type": kind}))
    async with remote(server, MovableClock()) as keys:
        assert (await keys.find("a", "ES256")).kid == "a"


async def test_after_a_day_without_a_token_the_first_one_waits_for_fresh_keys() -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.up("b")
        clock.move(HARD_AGE * 3)
        with pytest.raises(KeyUnknown):
            await keys.find("a", "ES256")
        assert (await keys.find("b", "ES256")).kid == "b"
    assert len(server.asked) == 2


async def test_a_dead_server_is_asked_again_after_a_moment_and_not_before() -> None:
    server, clock = KeyServer(), MovableClock()
    server.down()
    async with remote(server, clock) as keys:
        for _ in range(50):
            with pytest.raises(Unavailable):
                await keys.find("a", "ES256")
        assert len(server.asked) == 1
        server.up("a")
        with pytest.raises(Unavailable):
            await keys.find("a", "ES256")
        clock.move(RETRY_FLOOR)
        assert (await keys.find("a", "ES256")).kid == "a"
        assert keys.trouble is None
    assert len(server.asked) == 2


BAD = [
    (lambda _: httpx.Response(500, json=document("a")), "status 500"),
    (lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example/jwks"}), "status 302"),
    (lambda _: httpx.Response(204), "status 204"),
    (lambda _: httpx.Response(200, content=b""), "not one JSON value"),
    (lambda _: httpx.Response(200, content=b"<html>"), "not one JSON value"),
    (lambda _: httpx.Response(200, content=b'{"keys":[],"keys":[]}'), "a member name is repeated"),
    (lambda _: httpx.Response(200, content=b"\xef\xbb\xbf{}"), "starts with a byte order mark"),
    (lambda _: httpx.Response(200, content=b'{"keys":' * 50), "nested too deeply"),
    (lambda _: httpx.Response(200, json=[]), "it is not a JWK set"),
    (lambda _: httpx.Response(200, json={"keys": [_KEY] * 101}), "it is not a JWK set"),
    (lambda _: httpx.Response(200, content=b"x" * 600_000), "an answer above the size limit"),
    (
        lambda _: httpx.Response(200, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}),
        "a compressed answer, which was not asked for",
    ),
    (lambda _: (_ for _ in ()).throw(httpx.ConnectError("no")), "ConnectError"),
    (lambda _: (_ for _ in ()).throw(RuntimeError("no")), "RuntimeError"),
]


@pytest.mark.parametrize(("answer", "cause"), BAD, ids=[cause for _, cause in BAD])
async def test_a_bad_answer_is_no_key_set_and_takes_no_good_one_away(answer: Callable[[httpx.Request], httpx.Response], cause: str) -> None:
    server, clock = KeyServer(), MovableClock()
    async with remote(server, clock) as keys:
        await keys.find("a", "ES256")
        server.answer = answer
        clock.move(SOFT_AGE + 1)
        await keys.find("a", "ES256")
        await settled()
        assert keys.trouble == cause
        assert (await keys.find("a", "ES256")).kid == "a"
    async with remote(server, clock) as keys:
        with pytest.raises(Unavailable) as refused:
            await keys.find("a", "ES256")
    assert refused.value.facts["cause"] == cause


async def test_a_server_that_says_nothing_is_waited_for_once_and_not_for_ever() -> None:
    server, clock = KeyServer(hold=asyncio.Event()), MovableClock()
    async with Egress(EgressSettings(timeout=0.05), httpx.MockTransport(server)) as http:
        keys = RemoteKeys(http, clock, issuer=ISSUER, jwks_url=URL)
        told = await asyncio.gather(*(keys.find("a", "ES256") for _ in range(20)), return_exceptions=True)
    assert {str(each.facts["cause"]) for each in told if isinstance(each, Unavailable)} == {"no answer in time"}
    assert len(server.asked) == 1


async def test_junk_in_a_key_set_is_left_out_key_by_key() -> None:
    junk = [
        None,
        "x",
        {"kty": "oct", "k": "AAAA", "kid": "a"},
        key("a") | {"d": "AAAA"},
        key("a") | {"use": "enc"},
        key("a") | {"key_ops": 5},
    ]
    server, clock = KeyServer(lambda _: httpx.Response(200, json={"keys": [*junk, key("a")]})), MovableClock()
    async with remote(server, clock) as keys:
        assert (await keys.find("a", "ES256")).kid == "a"


def discovery(**changes: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": URL} | changes)
        return httpx.Response(200, json=document("a"))

    return answer


@pytest.mark.parametrize("issuer", [ISSUER, ISSUER + "/"])
async def test_without_a_url_the_discovery_document_says_where_the_keys_are(issuer: str) -> None:
    server, clock = KeyServer(discovery(issuer=issuer)), MovableClock()
    async with remote(server, clock, url=None, issuer=issuer) as keys:
        assert (await keys.find("a", "ES256")).kid == "a"
    assert server.asked == [f"{ISSUER}/.well-known/openid-configuration", URL]


def as_authorization_server(**changes: Any) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/oauth-authorization-server/tenant":
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": URL} | changes)
        return httpx.Response(200, json=document("a")) if str(request.url) == URL else httpx.Response(404)

    return answer


async def test_an_issuer_that_is_no_openid_provider_is_found_by_its_authorization_server_metadata() -> None:
    server, clock = KeyServer(as_authorization_server()), MovableClock()
    async with remote(server, clock, url=None) as keys:
        assert (await keys.find("a", "ES256")).kid == "a"
    places = ["tenant/.well-known/openid-configuration", ".well-known/oauth-authorization-server/tenant"]
    assert server.asked == [*(f"https://issuer.example/{place}" for place in places), URL]


@pytest.mark.parametrize("changes", [{"issuer": "https://issuer.example"}, {"jwks_uri": "http://keys.example/"}, {"jwks_uri": None}])
async def test_the_second_document_is_judged_like_the_first(changes: dict[str, Any]) -> None:
    server, clock = KeyServer(as_authorization_server(**changes)), MovableClock()
    async with remote(server, clock, url=None) as keys:
        with pytest.raises(Unavailable):
            await keys.find("a", "ES256")
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [301, 403, 500, 503])
async def test_only_an_issuer_without_the_first_document_is_asked_for_the_second(status: int) -> None:
    server, clock = KeyServer(lambda _: httpx.Response(status)), MovableClock()
    async with remote(server, clock, url=None) as keys:
        with pytest.raises(Unavailable) as refused:
            await keys.find("a", "ES256")
    assert refused.value.facts["cause"] == f"status {status}"
    assert len(server.asked) == 1


async def test_an_issuer_on_this_machine_may_do_without_tls() -> None:
    issuer, url = "http://127.0.0.1:1234", "http://127.0.0.1:1234/jwks"
    server, clock = KeyServer(discovery(issuer=issuer, jwks_uri=url)), MovableClock()
    async with remote(server, clock, url=None, issuer=issuer) as keys:
        assert (await keys.find("a", "ES256")).kid == "a"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"issuer": "https://other.example"}, "the document names another issuer"),
        ({"issuer": ISSUER + "/"}, "the document names another issuer"),
        ({"issuer": ISSUER.upper()}, "the document names another issuer"),
        ({"issuer": None}, "the document names another issuer"),
        ({"issuer": [ISSUER]}, "the document names another issuer"),
        ({"jwks_uri": None}, "the document has no jwks_uri"),
        ({"jwks_uri": 5}, "the document has no jwks_uri"),
        ({"jwks_uri": [URL]}, "the document has no jwks_uri"),
        ({"jwks_uri": "http://keys.example/jwks"}, '"jwks_uri" MUST use "https" scheme'),
        ({"jwks_uri": "file:///etc/passwd"}, '"jwks_uri" MUST use "https" scheme'),
        ({"jwks_uri": "/jwks"}, '"jwks_uri" MUST use "https" scheme'),
        ({"jwks_uri": "http://localhost:6379/"}, "jwks_uri is not an https URL"),
        ({"jwks_uri": "http://127.0.0.1/"}, "jwks_uri is not an https URL"),
        ({"jwks_uri": "https://user:secret@keys.example/"}, "a URL without a host, or with a user in it"),
        ({"jwks_uri": "https://keys.example/\r\nx"}, "it cannot be read"),
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted_leads_nowhere(changes: dict[str, Any], cause: str) -> None:
    server, clock = KeyServer(discovery(**changes)), MovableClock()
    async with remote(server, clock, url=None) as keys:
        with pytest.raises(Unavailable) as refused:
            await keys.find("a", "ES256")
    assert refused.value.facts["cause"] == cause
    assert server.asked == [f"{ISSUER}/.well-known/openid-configuration"]


async def test_an_issuer_with_a_query_has_no_discovery() -> None:
    issuer = "https://issuer.example/?a=b"
    server, clock = KeyServer(lambda _: httpx.Response(200, json={"issuer": issuer, "jwks_uri": URL})), MovableClock()
    async with remote(server, clock, url=None, issuer=issuer) as keys:
        with pytest.raises(Unavailable) as refused:
            await keys.find("a", "ES256")
    assert refused.value.facts["cause"] == '"issuer" has no query or fragment'


async def test_a_discovery_document_that_is_no_document_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the environment does not loosen it
    answers = iter([httpx.Response(200, json=[]), httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://keys.example/"})])
    server, clock = KeyServer(lambda _: next(answers)), MovableClock()
    async with remote(server, clock, url=None) as keys:
        for cause in ("the document names another issuer", "jwks_uri is not an https URL"):
            with pytest.raises(Unavailable) as refused:
                await keys.find("a", "ES256")
            assert refused.value.facts["cause"] == cause
            clock.move(RETRY_FLOOR)
