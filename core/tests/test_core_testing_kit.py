"""What the contracts stand on: changes that change, alarms that are put back, and texts that are found wherever they are kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from importlib_metadata import entry_points

import cambist
import cambist.testing
from cambist import Credential, Role, Unverified
from cambist.egress import Egress, EgressSettings
from cambist.errors import IssuerNotTrusted
from cambist.jwts import Jwts
from cambist.testing import Forge, MovableClock, ScriptedHttp, small_changes
from cambist.testing.changes import plain_changes
from cambist.testing.contracts.patience import HeldForEver, bounded
from cambist.testing.contracts.remembering import keeps
from cambist.testing.trusting import ForgeValidator, Trusting
from cambist.token_type import JWT

TOKEN = "a.token_of-somebody.else"


@given(st.data(), st.text(st.characters(exclude_categories=()), min_size=1))
def test_a_small_change_is_a_change_and_more_than_whitespace_around(data: st.DataObject, token: str) -> None:
    assert data.draw(small_changes(token)).strip() != token.strip()


def test_plain_changes_are_tried_one_by_one() -> None:
    changes = set(plain_changes("ann/12"))
    assert {"ann12", "ann /12", "ann//12", "ann.12", "ann1/2", "ann", "\x00nn/12", "ann/12A"} <= changes
    assert "ann/12" not in {change.strip() for change in changes}


@pytest.fixture
def rung() -> Iterator[list[int]]:
    """The alarms that somebody else set, as they rang; what pytest-timeout had set is put back."""
    times: list[int] = []
    before, handler = signal.setitimer(signal.ITIMER_REAL, 0), signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, lambda number, frame: times.append(number))
    yield times
    signal.setitimer(signal.ITIMER_REAL, *before)
    signal.signal(signal.SIGALRM, handler)


def test_an_alarm_that_was_set_before_still_rings(rung: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with bounded():
        time.sleep(0.1)
    assert rung == []
    time.sleep(0.05)
    assert rung == [signal.SIGALRM]


def test_no_alarm_is_left_behind(rung: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.testing.contracts.patience.LIMIT", 0.02)
    with pytest.raises(HeldForEver), bounded():
        time.sleep(5)
    with bounded():
        pass
    time.sleep(0.05)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert rung == []


class Slow:
    """Its end takes a while, and what is raised meanwhile is heard by nobody."""

    def __del__(self) -> None:
        time.sleep(0.1)


def test_an_alarm_that_nobody_would_hear_rings_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cambist.testing.contracts.patience.LIMIT", 0.02)

    def slow() -> None:
        Slow()
        time.sleep(5)

    with pytest.raises(HeldForEver), bounded():
        slow()


class Keeper:
    def __init__(self, kept: Any) -> None:
        self.kept = kept

    def own(self) -> Any:
        return self.kept


def remembering(text: str) -> Any:
    @cache
    def function(token: str) -> int:
        return len(token)

    function(text)
    return function


@pytest.mark.parametrize(
    "kept",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        TOKEN.encode(),
        bytearray(TOKEN.encode()),
        [{"inside": (frozenset({TOKEN}),)}],
        {TOKEN: None},
        Keeper(Keeper(TOKEN)),
        partial(print, TOKEN),
        remembering(TOKEN),
        Keeper(TOKEN).own,
    ],
    ids=lambda kept: type(kept).__name__,
)
def test_a_text_is_found_wherever_it_is_kept(kept: Any) -> None:
    assert keeps(Keeper(kept), TOKEN)


def test_a_text_is_found_in_the_class_too() -> None:
    class Cached(Keeper):
        cache = lru_cache(lambda self, token: len(token))

    Cached.cache(None, TOKEN)
    assert keeps(Cached(None), TOKEN)


def test_what_the_test_itself_knows_is_not_found() -> None:
    http = ScriptedHttp({"https://issuer.example/introspect": TOKEN.encode()})
    assert not keeps(Keeper([http, Forge(TOKEN, TOKEN, MovableClock()), sys.modules[__name__], remembering]), TOKEN)
    assert not keeps(Keeper(TOKEN[1:]), TOKEN)


async def test_a_script_answers_each_address_as_it_is_told() -> None:
    gone = httpx.ConnectError("gone")
    script: dict[str, Any] = {
        "https://a.test/": {"a": 1},
        "https://b.test/": b"text",
        "https://c.test/": httpx.Response(418),
        "https://d.test/": lambda request: httpx.Response(201, text=request.method),
        "https://e.test/": gone,
    }
    transport = ScriptedHttp(script)
    async with httpx.AsyncClient(transport=transport) as http:
        told = [await http.post(f"https://{name}.test/") for name in "abcdx"]
        with pytest.raises(httpx.ConnectError) as raised:
            await http.get("https://e.test/")
    assert [(answer.status_code, answer.text) for answer in told] == [(200, '{"a":1}'), (200, "text"), (418, ""), (201, "POST"), (404, "")]
    assert raised.value is gone
    assert transport.asked == [f"https://{name}.test/" for name in "abcdxe"]


async def test_the_validator_of_the_kit_takes_its_forges_and_nobody_else() -> None:
    clock = MovableClock()
    trusted, stranger = Forge("https://a.test", "b", clock), Forge("https://c.test", "b", clock)
    judge = ForgeValidator(Trusting(trusted), Jwts(Egress(EgressSettings(), ScriptedHttp({})), clock))
    assert judge.recognizes(Unverified(token_type=JWT, issuer="https://a.test"))
    assert not judge.recognizes(Unverified(token_type=JWT, issuer="https://c.test"))
    assert (await judge.validate(Credential(token=trusted.jwt(), token_type=JWT, role=Role.SUBJECT))).identity.issuer == "https://a.test"
    with pytest.raises(IssuerNotTrusted):
        await judge.validate(Credential(token=stranger.jwt(), token_type=JWT, role=Role.SUBJECT))


@pytest.mark.parametrize("package", [cambist, cambist.testing])
def test_a_name_that_is_not_offered_is_said_to_be_missing(package: Any) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Nonsense'"):
        _ = package.Nonsense


def test_everything_that_is_offered_is_listed_before_it_is_loaded() -> None:
    assert set(cambist.__all__) <= set(dir(cambist))


def test_pytest_knows_the_kit_and_shows_what_its_asserts_compared(tmp_path: Path) -> None:
    (entry,) = entry_points(group="pytest11", name="cambist")
    assert entry.value == "cambist.testing.pytest_plugin"
    (tmp_path / "test_it.py").write_text(
        "from cambist.testing import StoreContract\n"
        "def test_it():\n"
        "    assert type(__import__('sys').modules[StoreContract.__module__].__loader__).__name__ == 'AssertionRewritingHook'\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::pytest.PytestAssertRewriteWarning"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
