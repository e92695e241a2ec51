"""Where the keys of an issuer come from, and how long they are believed."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from cambist import Unavailable
from cambist.egress import Egress, EgressSettings
from cambist.errors import KeyUnknown
from cambist.jwks import HARD_AGE, REFETCH_FLOOR, RETRY_FLOOR, SOFT_AGE, FileKeys, RemoteKeys, inline
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


# ── keys in a file ──────────────────────────────────────────────────────────────────────────────────────


def written(path: Path, content: object) -> None:
    """As a careful operator replaces a file: whole, by a move."""
    new = path.with_suffix(".new")
    new.write_text(content if isinstance(content, str) else json.dumps(content))
    new.replace(path)


async def test_keys_in_a_file_are_read_again_when_it_is_replaced(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    assert (await keys.find("a", "ES256")).kid == "a"
    written(path, document("b"))
    assert (await keys.find("b", "ES256")).kid == "b"
    with pytest.raises(KeyUnknown):
        await keys.find("a", "ES256")


async def test_a_replacement_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path, other, clock = tmp_path / "keys.json", tmp_path / "other.json", MovableClock()
    path.write_text(json.dumps(document("a")))
    other.write_text(json.dumps(document("b")))
    shutil.copystat(path, other)
    keys = FileKeys(path, clock)
    keys.read()
    before, after = path.stat(), other.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    other.replace(path)
    assert (await keys.find("b", "ES256")).kid == "b"


async def test_a_file_that_does_not_change_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    keys.read()
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read again"))
    assert (await keys.find("a", "ES256")).kid == "a"


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"keys": 5}', '{"keys":[],"keys":[]}', None])
async def test_a_broken_replacement_changes_nothing_for_a_day(tmp_path: Path, broken: str | None) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    keys.read()
    clock.move(3600)
    keys.read()  # sound an hour later, too: from then on the day counts
    if broken is None:
        path.unlink()
    else:
        written(path, broken)
    clock.move(HARD_AGE)
    assert (await keys.find("a", "ES256")).kid == "a"
    clock.move(1)
    with pytest.raises(Unavailable) as refused:
        await keys.find("a", "ES256")
    assert refused.value.facts["what"] == f"key file {path}"
    written(path, document("b"))
    assert (await keys.find("b", "ES256")).kid == "b"


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file"), ("{", "not one JSON value"), ("[]", "it is not a JWK set"), ("\ufeff{}", "byte order mark")],
)
async def test_a_file_that_never_was_a_key_set_is_told(tmp_path: Path, content: str | None, cause: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        written(path, content)
    with pytest.raises(Unavailable) as refused:
        await FileKeys(path, MovableClock()).find("a", "ES256")
    assert cause in str(refused.value.facts["cause"])


# ── keys in the settings ────────────────────────────────────────────────────────────────────────────────


async def test_keys_in_the_settings_are_found() -> None:
    assert (await inline(ISSUER, document("a", "b")).find("b", "ES256")).kid == "b"
    with pytest.raises(KeyUnknown):
        await inline(ISSUER, document("a")).find("b", "ES256")


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "it is not a JWK set"),
        ({"keys": "x"}, "it is not a JWK set"),
        ({"keys": []}, "there are none"),
        ({"keys": [key("a") | {"use": "enc"}, {"kty": "oct", "k": "AA"}]}, "a: not for signatures; None: not an asymmetric key"),
    ],
)
def test_keys_in_the_settings_that_cannot_be_used_are_told_with_their_issuer(given: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unavailable) as refused:
        inline(ISSUER, given)
    assert refused.value.facts == {"what": f"the keys of {ISSUER}", "cause": cause}
