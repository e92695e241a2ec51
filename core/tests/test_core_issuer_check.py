"""An issuer is looked at: what is said of its keys and of its clock, and what that means for its tokens."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from cambist.check import Check, State, differing, tried, words
from cambist.egress import Egress, EgressSettings
from cambist.errors import Expired, IssuerNotTrusted, Unavailable
from cambist.issuer_check import Published, clocks
from cambist.jwk import KeySet
from cambist.jwts import Expected, Jwts
from cambist.testing import Forge, MovableClock, ScriptedHttp

ISSUER = "https://issuer.example"
DISCOVERY, KEYS = f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"
CLOCK = MovableClock()
FORGE = Forge(ISSUER, "us", CLOCK)


async def looked(answer: dict[str, Any], **headers: str) -> dict[str, Check]:
    """The checks of an issuer that answers so, each by its name."""
    script = {DISCOVERY: {"issuer": ISSUER, "jwks_uri": KEYS}, KEYS: httpx.Response(200, json=FORGE.jwks, headers=headers), **answer}
    jwts = Jwts(Egress(EgressSettings(), ScriptedHttp(script)), CLOCK)
    expected = Expected(issuer=ISSUER, keys=jwts.keys(ISSUER), algorithms=frozenset({"ES256"}))
    return {check.name: check for check in await Published(expected).look()}


def date(ahead: float) -> str:
    return formatdate(CLOCK() + ahead, usegmt=True)


@pytest.mark.parametrize(
    ("ahead", "state", "reason", "said"),
    [
        (0, State.PASSED, None, "agrees with ours"),
        (2, State.PASSED, None, "agrees with ours"),
        (-2, State.PASSED, None, "agrees with ours"),
        (60, State.PASSED, None, "60 s ahead of ours, within the leeway of 60 s"),
        (61, State.FAILED, "credential_not_yet_valid", "not valid here for 1 s (nbf, iat)"),
        (-60, State.NOTE, None, "60 s behind ours: its tokens end so much earlier here (exp)"),
        (-61, State.FAILED, "credential_expired", "after their end there is no leeway"),
    ],
)
async def test_a_clock_is_told_by_what_it_means_for_tokens(ahead: float, state: State, reason: str | None, said: str) -> None:
    check = (await looked({}, date=date(ahead)))["clock"]
    assert (check.state, check.reason) == (state, reason)
    assert said in check.said
    assert clocks(ahead, 60.0) == check


async def test_a_cache_on_the_way_does_not_make_an_issuer_late() -> None:
    """RFC 9111 section 5.1: the Date is of when it was made, and Age says how long ago that was."""
    assert (await looked({}, date=date(-240), age="240"))["clock"].state is State.PASSED


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": date(0), "age": "old"}])
async def test_an_issuer_that_tells_no_time_is_not_blamed(headers: dict[str, str]) -> None:
    assert (await looked({}, **headers))["clock"].state is State.NOTE


async def test_an_answer_is_kept_for_as_long_as_the_issuer_says_within_our_bounds() -> None:
    assert "fetched anew after 120 s" in (await looked({}, **{"cache-control": "max-age=120"}))["keys"].said
    assert "fetched anew after 300 s" in (await looked({}, **{"cache-control": "max-age=86400"}))["keys"].said


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"keys": "none"}, "it is not a JWK set"),
        ({"keys": []}, "there is no usable key"),
        (Forge("", "", CLOCK, algorithm="ES384").jwks, "no key is for an algorithm that is allowed for this issuer: ES384 k1"),
    ],
)
async def test_keys_that_help_nobody_are_told(document: dict[str, Any], said: str) -> None:
    check = (await looked({KEYS: document}))["keys"]
    assert (check.state, said in check.said) == (State.FAILED, True)


async def test_what_is_looked_at_is_asked_for_anew_and_changes_nothing() -> None:
    http = ScriptedHttp({DISCOVERY: {"issuer": ISSUER, "jwks_uri": KEYS}, KEYS: FORGE.jwks})
    jwts = Jwts(Egress(EgressSettings(), http), CLOCK)
    expected = Expected(issuer=ISSUER, keys=jwts.keys(ISSUER), algorithms=frozenset({"ES256"}))
    await jwts.verify(FORGE.jwt(), expected)
    http.script[KEYS] = {"keys": []}
    checks = {check.name: check.state for check in await Published(expected).look()}
    assert checks["keys"] is State.FAILED
    await jwts.verify(FORGE.jwt(), expected)  # the last good ones serve on


async def test_a_key_file_is_looked_at_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(FORGE.jwks), "utf-8")
    clock = MovableClock()
    keys = Jwts(Egress(EgressSettings(), ScriptedHttp({})), clock).keys(ISSUER, file=file)
    published = Published(Expected(issuer=ISSUER, keys=keys, algorithms=frozenset({"ES256"})))
    assert [check.state for check in await published.look()] == [State.PASSED]
    file.unlink()
    gone = await published.look()
    assert (gone[0].name, gone[0].state, len(gone)) == ("keys", State.FAILED, 2)  # those that were read last are still believed
    clock.move(90_000)
    (gone_for_long,) = await published.look()
    assert (gone_for_long.name, gone_for_long.state) == ("keys", State.FAILED)


async def test_keys_in_the_settings_are_looked_at_where_they_stand() -> None:
    keys = Jwts(Egress(EgressSettings(), ScriptedHttp({})), CLOCK).keys(ISSUER, jwks=FORGE.jwks)
    (check,) = await Published(Expected(issuer=ISSUER, keys=keys, algorithms=frozenset({"ES256"}))).look()
    assert check.state is State.PASSED
    assert "in the settings" in check.said


async def test_keys_of_a_kind_that_is_not_known_are_not_blamed() -> None:
    class Others:
        async def find(self, kid: object, algorithm: str) -> Any:
            return KeySet.of(FORGE.jwks).find(kid, algorithm)

    expected = Expected(issuer=ISSUER, keys=Others(), algorithms=frozenset({"ES256"}))
    [check] = await Published(expected).look()
    assert check.state is State.NOTE


def test_a_refusal_is_told_with_its_cause_and_in_what_two_names_differ() -> None:
    assert words(Unavailable(what="the keys", cause="ConnectError", detail="nobody listens there")) == "the keys: nobody listens there"
    assert words(Unavailable(what="the keys", cause="status 500")) == "the keys: status 500"
    assert words(IssuerNotTrusted(expected=ISSUER, seen=f"{ISSUER}/")).endswith("(they differ by a final slash)")
    assert differing(ISSUER, "https://other.example") == ""


def test_what_is_tried_is_told_by_its_words_or_by_its_refusal() -> None:
    def refuse() -> None:
        raise Expired("it expired 1 seconds ago", seen={"exp": 1})

    assert tried("times", lambda: None, "they hold") == Check.passed("times", "they hold")
    failed = tried("times", refuse, "they hold")
    assert (failed.state, failed.reason, failed.said, failed.seen) == (
        State.FAILED,
        "credential_expired",
        "it expired 1 seconds ago",
        {"exp": 1},
    )
    assert failed.hint == Expired.hint
