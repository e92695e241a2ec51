"""`cambist exchange`: what it asks by what it was told, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from click.testing import CliRunner, Result
from joserfc import jwt
from joserfc.jwk import ECKey

from cambist_hostapp.cli import main

GOOD = {"access_token": "the-token", "token_type": "Bearer", "expires_in": 300}
REFUSED = {
    "error": "invalid_target",
    "error_description": "no such target",
    "reason": "target_denied",
    "decision_id": "d-1",
    "details": {"hint": "Ask for another."},
}
Asked = list[httpx.Request]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, Asked]]:
    """The command against a service that answers so; with what it was asked."""
    real = httpx.Client

    def ran(*words: str, status: int = 200, answer: Any = GOOD, zone: str | None = None, secret: str | None = None) -> tuple[Result, Asked]:
        asked: Asked = []

        def served(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(status, json=answer)

        monkeypatch.setattr("cambist_hostapp.exchange.httpx.Client", lambda **_: real(transport=httpx.MockTransport(served)))
        before = ["--zone", zone] if zone else []
        return CliRunner().invoke(main, [*before, "exchange", *words], input="credential\n", env={"CAMBIST_CLIENT_SECRET": secret}), asked

    return ran


def test_it_prints_the_token_and_nothing_else(run: Callable[..., tuple[Result, Asked]]) -> None:
    found, asked = run("--audience", "a", "--audience", "b", "--resource", "https://r", "--scope", "read write", "--ttl", "60", zone="acme")
    assert (found.exit_code, found.stdout) == (0, "the-token\n")
    assert str(asked[0].url) == "http://localhost:8693/oauth/2/token"
    form = parse_qs(asked[0].content.decode())
    assert (form["audience"], form["resource"], form["scope"], form["zone_id"]) == (["a", "b"], ["https://r"], ["read write"], ["acme"])
    assert (form["subject_token"], form["ttl_seconds"]) == (["credential"], ["60"])


def test_it_asks_the_other_endpoint_and_prints_the_whole_answer(run: Callable[..., tuple[Result, Asked]]) -> None:
    found, asked = run("--url", "https://sts.example.test/", "--audience", "a", "--dialect", "json", "--json")
    assert json.loads(found.stdout) == GOOD
    assert str(asked[0].url) == "https://sts.example.test/v1/exchange/token"
    assert json.loads(asked[0].content)["audience"] == "a"


def test_an_actor_is_sent_with_its_type(run: Callable[..., tuple[Result, Asked]], tmp_path: Path) -> None:
    (tmp_path / "actor").write_text("actor\n")
    _, asked = run("--audience", "a", "--actor-file", str(tmp_path / "actor"), "--actor-type", "urn:x")
    form = parse_qs(asked[0].content.decode())
    assert (form["actor_token"], form["actor_token_type"]) == (["actor"], ["urn:x"])


def test_an_application_proves_itself_by_secret_or_by_key(run: Callable[..., tuple[Result, Asked]], tmp_path: Path) -> None:
    _, asked = run("--audience", "a", "--client-id", "shop", secret="a secret")
    assert asked[0].headers["authorization"].startswith("Basic ")
    key = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256"})
    (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    by_key = ["--client-id", "shop", "--client-key", str(tmp_path / "key.json")]
    for more, audience in (([], "http://localhost:8693"), (["--issuer", "https://sts.example.test"], "https://sts.example.test")):
        _, asked = run("--audience", "a", *by_key, *more)
        assertion = parse_qs(asked[0].content.decode())["client_assertion"][0]
        assert jwt.decode(assertion, key, algorithms=["ES256"]).claims["aud"] == audience


def test_a_refusal_is_told_in_words_and_ends_with_one(run: Callable[..., tuple[Result, Asked]]) -> None:
    found, _ = run("--audience", "a", status=400, answer=REFUSED)
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.splitlines() == [
        "refused: invalid_target: no such target",
        "  reason    target_denied",
        "  hint      Ask for another.",
        "  decision  d-1",
    ]
    found, _ = run("--audience", "a", "--json", status=400, answer=REFUSED)
    assert (found.exit_code, json.loads(found.stdout)) == (1, REFUSED)


@pytest.mark.parametrize(("status", "answer"), [(200, []), (200, {}), (502, "bad gateway")])
def test_an_answer_that_is_none_ends_with_three(run: Callable[..., tuple[Result, Asked]], status: int, answer: Any) -> None:
    found, _ = run("--audience", "a", status=status, answer=answer)
    assert (found.exit_code, found.stdout) == (3, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--url", "http://sts.example.test"], 2, "only https is called"),
        (["--client-id", "shop"], 2, "set $CAMBIST_CLIENT_SECRET, or give --client-key"),
        (["--ttl", "0"], 2, "--ttl"),
        (["--dialect", "xml"], 2, "--dialect"),
        (["--client-key", "/nowhere"], 2, "--client-key"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nobody_is_asked(
    run: Callable[..., tuple[Result, Asked]], words: list[str], code: int, said: str
) -> None:
    found, asked = run("--audience", "a", *words)
    assert (found.exit_code, asked) == (code, [])
    assert said in found.stderr
