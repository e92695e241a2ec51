"""`cambist inspect`, as a person types it: offline, and clear about what was verified."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result

from cambist.testing import Forge
from cambist_hostapp.cli import main

FORGE = Forge("https://issuer.example.test", "https://sts.example.test", time.time)


def run(*arguments: str, text: str | None = None, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["inspect", *arguments], input=text, catch_exceptions=False)
    assert found.exit_code == code, found.output
    return found


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(FORGE.jwks))
    return str(path)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("it called somebody")

    monkeypatch.setattr(socket.socket, "connect", refused)


def test_a_token_from_a_file_or_from_standard_input_is_drawn_and_nothing_is_claimed_of_it(tmp_path: Path) -> None:
    token = FORGE.jwt(sub="checkout", jku="https://elsewhere.example")
    (tmp_path / "token").write_text(token + "\n")
    for shown in (run(str(tmp_path / "token")).output, run(text=token + "\n").output, run("-", text=token).output):
        assert "Nothing was verified" in shown
        assert "subject       checkout" in shown


def test_its_signature_is_never_shown(jwks: str) -> None:
    token = FORGE.jwt()
    signature = token.rpartition(".")[2]
    shown = [run(*arguments, text=token).output for arguments in ((), ("--json",), ("--jwks", jwks), ("--jwks", jwks, "--json"))]
    assert not any(signature in output for output in shown)


def test_as_json_it_is_header_and_claims_and_what_does_not_fit() -> None:
    told: dict[str, Any] = json.loads(run("--json", text=FORGE.jwt(aud=["a", "b"])).output)
    assert (told["verified"], told["header"]["kid"], told["claims"]["aud"]) == (False, "k1", ["a", "b"])
    assert [said.partition(":")[0] for said in told["does_not_fit"]] == ["it is for 2 audiences"]


def test_with_a_key_set_its_signature_is_verified_and_it_is_said_what_was_not(jwks: str) -> None:
    shown = run("--jwks", jwks, text=FORGE.jwt()).output
    assert f"The signature verifies by {jwks}; whether it is meant for you" in shown
    assert "Nothing was verified" not in shown
    assert json.loads(run("--jwks", jwks, "--json", text=FORGE.jwt()).output)["verified"] is True


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (Forge("https://issuer.example.test", "x", time.time).jwt(), "The signature does not verify"),
        (FORGE.jwt({"kid": "k2"}), "There are: ES256 k1"),
        (FORGE.jwt({"alg": "none"}), "algorithm"),
    ],
)
def test_one_that_does_not_verify_is_drawn_all_the_same_with_exit_code_1(jwks: str, token: str, said: str) -> None:
    shown = run("--jwks", jwks, text=token, code=1)
    assert "Nothing was verified" in shown.stdout
    assert said in shown.stderr
    told = json.loads(run("--jwks", jwks, "--json", text=token, code=1).stdout)
    assert (told["verified"], said in told["trouble"]) == (False, True)


def test_what_is_no_key_set_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    assert "is no key set" in run("--jwks", str(tmp_path / "keys.json"), text=FORGE.jwt(), code=3).stderr


@pytest.mark.parametrize("text", ["hello", "a.b.c.d.e", "", "e30.e30."])
def test_what_is_no_jwt_is_said_to_be_none(text: str) -> None:
    assert "this is no JWT" in run(text=text, code=1).stderr


def test_a_file_that_is_not_there_is_a_wrong_command_line() -> None:
    run("absent", code=2)
