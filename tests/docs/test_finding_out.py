"""What the page on finding out why shows of an issuer and of a token is what the commands print."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from habits.https import Reply, answering
from habits.pages import blocks
from habits.workspace import ROOT

from cambist.testing import Forge, IdTokenForge, MovableClock
from cambist_hostapp.cli import main

PAGE = ROOT / "docs" / "how-to" / "find-out-why.md"
NOON = 1_800_014_400
"""The moment of the page."""
ISSUER = "https://login.example.com"


def shown(command: str) -> tuple[list[str], str]:
    """The words of a command of the page, and what stands below it."""
    [block] = [block for block in blocks(PAGE, "console") if block.startswith(f"$ {command}")]
    typed, _, printed = block.partition("\n")
    return typed.split()[2:], printed


def settled(text: str) -> str:
    """But for what is another one each time."""
    return re.sub(r"\d+ ms|1\d{9}|\(\d+ min ago\)|\(in \d+ min( \d+ s)?\)|(?<=── id            )\S+", "#", text)


def test_an_issuer_and_a_sample_are_judged_as_the_page_shows(tmp_path: Path) -> None:
    words, printed = shown("cambist trust check")
    forge = IdTokenForge("", "cambist", time.time)

    def answer(method: str, path: str, *_: Any) -> Reply:
        document = {"issuer": forge.issuer, "jwks_uri": f"{forge.issuer}/keys"}
        return Reply(200, document if path.endswith("openid-configuration") else forge.jwks)

    with answering(answer) as forge.issuer:
        config = tmp_path / "cambist.toml"
        config.write_text(
            f'issuer = "https://sts.example.com"\n[[plugins.oidc.issuers]]\nissuer = "{forge.issuer}"\naudience = ["cambist"]\n'
        )
        now = int(time.time())
        (tmp_path / "token").write_text(forge.jwt(sub="alice", exp=now - 1, iat=now - 60))
        words = [{ISSUER: forge.issuer, "token": str(tmp_path / "token")}.get(word, word) for word in words]
        found = CliRunner().invoke(main, ["-c", str(config), *words], catch_exceptions=False)
    assert found.exit_code == 1
    told = re.sub(r"expired \d+ seconds", "expired 1 seconds", found.output.replace(forge.issuer, ISSUER))
    assert settled(told) == settled(printed)


def test_a_token_is_drawn_as_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, printed = shown("cambist inspect")
    forge = Forge("https://sts.example.com", "https://api.example.com", MovableClock(NOON))
    chain = {"sub": "agent-2", "act": {"sub": "agent-1"}}
    bound = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
    token = forge.jwt(
        {"typ": "at+jwt"}, sub="alice", act=chain, client_id="shop", scope="read", cnf=bound, zone_id="default", exp=NOON + 300
    )
    monkeypatch.setattr("cambist_hostapp.inspect.time", SimpleNamespace(time=lambda: NOON + 60.0))
    found = CliRunner().invoke(main, ["inspect"], input=token, catch_exceptions=False)
    assert settled(found.output) == settled(printed)
    (tmp_path / "jwks.json").write_text(json.dumps(forge.jwks))
    found = CliRunner().invoke(main, ["inspect", "--jwks", str(tmp_path / "jwks.json")], input=token, catch_exceptions=False)
    assert "The signature verifies" in found.output


def test_every_sentence_of_an_issuer_that_the_page_names_is_one_that_is_said() -> None:
    """The sources say it, in whatever pieces."""
    said = "".join(file.read_text("utf-8") for file in sorted((ROOT / "core/src/cambist").glob("*.py")))
    rows = re.findall(
        r"^\| (`.+?) \|", PAGE.read_text("utf-8").partition("What you may meet of an issuer:")[2].partition("##")[0], re.MULTILINE
    )
    sentences = [sentence for row in rows for sentence in re.findall(r"`([^`]+)`", row)]
    assert len(sentences) > 10
    for sentence in sentences:
        pieces = [piece.strip(" :,") for piece in re.split(r"…|\d+ s|RS256|: status \d+", sentence) if piece.strip(" :,")]
        assert [piece for piece in pieces if piece not in said] == [], sentence
