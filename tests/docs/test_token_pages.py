"""The pages on protecting an API and on fetching tokens: their Python runs as it stands, and their commands too."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.pages import blocks
from habits.running import free_port, running
from habits.served import CAMBIST
from habits.workspace import ROOT
from joserfc.jwk import ECKey

from cambist.client import AsyncClient, Client
from cambist.testing import AccessTokenForge, MovableClock, ScriptedHttp
from cambist.verify import Verifier
from cambist.verify.execution import digest
from cambist.verify.refused import REASONS

PROTECT = ROOT / "docs" / "how-to" / "protect-an-api.md"
FETCH = ROOT / "docs" / "how-to" / "fetch-tokens.md"
STS, API = "https://sts.example.com", "https://api.example.com"


class Page:
    """The Python of a page, run from its first block to its last in one namespace."""

    def __init__(self, path: Path) -> None:
        self.blocks, self.names = blocks(path, "python"), dict[str, Any]()
        for number, block in enumerate(self.blocks):
            exec(compile(ast.parse(block), f"{path.name}[{number}]", "exec"), self.names)

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


@dataclass(frozen=True)
class Published:
    """The service of the page, and its keys."""

    forge: AccessTokenForge
    http: ScriptedHttp

    def token(self, **claims: Any) -> str:
        return self.forge.jwt(**{"zone_id": "default", **claims})


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Published:
    """Verifiers find its keys, and have its clock, without being told."""
    clock = MovableClock()
    forge = AccessTokenForge(STS, API, clock)
    http = ScriptedHttp({f"{STS}/.well-known/jwks.json?zone_id=default": forge.jwks})
    monkeypatch.setattr("cambist.verify.published.client", lambda: httpx.AsyncClient(transport=http))
    monkeypatch.setattr(Verifier.__init__, "__kwdefaults__", {**(Verifier.__init__.__kwdefaults__ or {}), "clock": clock})
    monkeypatch.setattr("time.time", clock)
    return Published(forge, http)


async def _asked(app: Any, token: str, method: str = "GET", target: str = "/", content: bytes = b"") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        return await http.request(method, target, content=content, headers={"authorization": f"Bearer {token}"})


async def test_the_api_of_the_page_answers_who_has_a_good_token(published: Published) -> None:
    page = Page(PROTECT)
    assert (await _asked(page.app, published.token(sub="ann"))).text == "hello ann"


async def test_a_refusal_is_what_the_page_shows(published: Published) -> None:
    page = Page(PROTECT)
    answer = await _asked(page.app, published.token(aud="https://other.example.com"))
    (shown,) = blocks(PROTECT, "json")
    assert answer.json() == json.loads(shown)


async def test_the_function_of_the_page_tells_who_calls(published: Published) -> None:
    page = Page(PROTECT)
    assert await page.who_calls(published.token(sub="ann")) == "ann"
    assert (await page.who_calls(published.token(scope="write"))).startswith("403 scope_insufficient: ")
    published.http.script.clear()
    assert await Page(PROTECT).who_calls(published.token()) == "503"


async def test_a_token_for_one_request_is_taken_once_as_the_page_says(published: Published) -> None:
    page = Page(PROTECT)
    execution = {"htm": "POST", "htu": f"{API}/pay?to=bob", "nonce": "n", "payload_hash": digest(b"100")}
    token = published.token(exec=execution)
    codes = [(await _asked(page.app, token, "POST", "/pay?to=bob", content)).status_code for content in (b"1", b"100", b"100")]
    assert codes == [401, 200, 401]


async def test_the_store_of_the_page_says_true_the_first_time_only(published: Published) -> None:
    class Redis:
        """`SET … NX EXAT`, as redis-py has it."""

        def __init__(self) -> None:
            self.kept: dict[str, int] = {}

        async def set(self, key: str, value: int, *, nx: bool, exat: int) -> bool | None:
            assert nx
            return None if key in self.kept else not self.kept.update({key: exat})

    redis = Redis()
    spent = Page(PROTECT).SpentInRedis(redis)
    assert [await spent.spend("a", 100.5), await spent.spend("a", 100.5)] == [True, False]
    assert redis.kept == {"spent:a": 101}


def test_the_table_of_reasons_is_the_one_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? ?\| (.+) \|$", PROTECT.read_text("utf-8"), re.MULTILINE)
    assert [(reason, error or None, hint) for reason, error, hint in rows] == [(name, *told) for name, told in REASONS.items()]


# ── fetching ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[httpx.Request], httpx.Response]:
    """A service that every client of the page asks, and files where the page has them."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if b"subject_token=bad" in request.content:
            return httpx.Response(400, json={"error": "invalid_request", "reason": "credential_expired", "details": {"hint": "Fetch."}})
        return httpx.Response(200, json={"access_token": f"t{len(asked)}", "token_type": "Bearer", "expires_in": 300})

    answer.asked = asked  # type: ignore[attr-defined]  # what the test looks at
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Client, "_made", staticmethod(lambda trust: httpx.Client(transport=httpx.MockTransport(answer))))
    for name, text in {"token": "good\n", "secret": "s\n"}.items():
        (tmp_path / name).write_text(text)
    key = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256"})
    (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    return answer


def test_the_clients_of_the_page_fetch_and_keep(answering: Any, tmp_path: Path) -> None:
    page = Page(FETCH)
    page.client._subject = tmp_path / "token"  # where the page's own file cannot be
    assert page.headers() == page.headers() == {"authorization": "Bearer t1"}
    assert page.shop.token(audience=API).access_token == "t2"
    assert page.robot.token(audience=API).access_token == "t3"
    first, by_secret, by_key = answering.asked
    assert (b"subject_token=good&" in first.content, "authorization" in by_secret.headers) == (True, True)
    assert b"grant_type=client_credentials" in by_key.content
    assert b"client_assertion=" in by_key.content


def test_a_failure_is_told_as_the_page_does(answering: Any, tmp_path: Path) -> None:
    page = Page(FETCH)
    page.client._subject = tmp_path / "token"
    (tmp_path / "token").write_text("bad")
    assert page.told() == "credential_expired: Fetch.; decision None, try again: False"
    (tmp_path / "token").unlink()
    assert page.told().startswith("credential_unreadable: ")


def test_what_the_page_says_of_the_client_for_asyncio_is_there() -> None:
    assert {"token", "aclose", "exchange"} <= set(dir(AsyncClient))


@pytest.fixture
def development(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """`cambist dev` for the commands of the page, and a credential."""
    port, issuer = free_port(), free_port()
    command = [*CAMBIST, "dev", "--port", port, "--issuer-port", issuer, "--folder", tmp_path / "shop"]
    with running(command, f"http://localhost:{port}/ready", tmp_path / "dev.log"):
        (tmp_path / "credential").write_text(httpx.get(f"http://localhost:{issuer}/token", trust_env=False).text)
        yield {"url": f"http://localhost:{port}", "folder": str(tmp_path)}


def test_the_commands_of_the_page_print_a_token_and_an_answer(development: Mapping[str, str]) -> None:
    commands, serving = blocks(FETCH, "sh")
    wrote = []
    for line in commands.splitlines():
        words = [*CAMBIST, *line.split()[1:], "--url", development["url"]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, cwd=development["folder"])
        wrote.append(done.stdout)
    assert wrote[0].count(".") == 2
    assert '"issued_token_type"' in wrote[1]
    assert serving.split() == ["cambist", "dev", "--tls", "--folder", "shop"]  # run by test_hostapp_dev_tls.py
