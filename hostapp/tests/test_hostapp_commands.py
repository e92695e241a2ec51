"""The commands, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cambist.client_secret import _verify
from cambist.testing import Forge, MovableClock
from cambist_hostapp.cli import main

ISSUER = "https://sts.example.test"
GOOD = f"""
issuer = "{ISSUER}"
authenticates = ["urn:ietf:params:oauth:token-type:jwt"]
[plugins.opa-wasm]
[plugins.api-key]
pepper = {{ env = "PEPPER" }}
"""


def run(*arguments: str, text: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, input=text, env=environment, catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "cambist.toml").write_text(GOOD)
    return str(tmp_path / "cambist.toml")


def test_help_names_every_command_with_a_sentence() -> None:
    shown = run("--help").output
    for name in ("serve", "dev", "check", "exchange", "inspect", "plugins", "settings", "explain", "policy", "hash-secret"):
        assert f"  {name} " in shown


def test_settings_are_shown_with_their_origin_and_without_secrets(config: str) -> None:
    shown = json.loads(run("-c", config, "settings", "--json", PEPPER="x" * 43).output)
    assert shown["issuer"] == {"value": ISSUER, "origin": config}
    assert shown["listen.port"] == {"value": 8693, "origin": "default"}
    assert shown["plugins.api-key.pepper"]["origin"] == "env PEPPER"
    assert "x" * 43 not in json.dumps(shown)


def test_settings_in_words_have_one_line_for_each_value(config: str) -> None:
    lines = run("-c", config, "settings", PEPPER="x" * 43).output.splitlines()
    assert any(line.startswith("issuer ") and line.endswith(f"({config})") for line in lines)
    assert not any("xxxx" in line for line in lines)


def test_wrong_settings_are_told_all_at_once_with_exit_code_3(tmp_path: Path) -> None:
    path = tmp_path / "cambist.toml"
    path.write_text('isuer = "https://sts.example.test"\nttl = "long"\n')
    found = run("-c", str(path), "settings")
    assert found.exit_code == 3
    assert "isuer: unknown; did you mean issuer?" in found.output
    assert "issuer: required" in found.output


@pytest.mark.parametrize("command", ["check", "serve", "settings"])
def test_who_named_no_settings_learns_how_to(command: str, tmp_path: Path) -> None:
    found = run("-c", str(tmp_path / "cambist.toml"), command)
    assert found.exit_code == 3
    assert "there is no such file; name the settings with --config, or in CAMBIST_CONFIG" in found.output


def test_check_says_of_each_part_how_it_is(config: str) -> None:
    found = run("-c", config, "check", "--json", PEPPER="x" * 43)
    assert found.exit_code == 0, found.output
    parts = {part["name"]: part["state"] for part in json.loads(found.output)["parts"]}
    assert parts["opa-wasm"] == parts["api-key"] == parts["zone default"] == "ok"


def test_check_in_words_has_one_line_for_each_plugin(config: str) -> None:
    lines = run("-c", config, "check", PEPPER="x" * 43).output.splitlines()
    assert any(line.startswith("✓ opa-wasm") for line in lines)


def test_check_tells_what_keeps_it_shut(tmp_path: Path) -> None:
    path = tmp_path / "cambist.toml"
    path.write_text(f'issuer = "{ISSUER}"\n[plugins.spifee]\n')
    found = run("-c", str(path), "check", "--json")
    assert found.exit_code == 3
    assert "plugins.spifee: no installed plugin of this name" in found.output


def test_plugins_lists_what_is_installed_and_what_is_enabled(config: str) -> None:
    listed = {plugin["name"]: plugin for plugin in json.loads(run("-c", config, "plugins", "--json", PEPPER="x" * 43).output)}
    assert listed["opa-wasm"]["enabled"]
    assert not listed["jwt"]["enabled"]
    assert listed["jwt"]["distribution"] == "cambist-jwt"


def test_plugins_needs_no_settings(tmp_path: Path) -> None:
    found = run("-c", str(tmp_path / "absent.toml"), "plugins")
    assert found.exit_code == 0
    assert "cambist-jwt" in found.output


def test_a_token_is_inspected_offline(tmp_path: Path) -> None:
    token = Forge("https://issuer.example.test", ISSUER, MovableClock()).jwt(sub="checkout")
    assert "subject       checkout" in run("inspect", text=token + "\n").output
    assert json.loads(run("inspect", "--json", text=token).output)["claims"]["sub"] == "checkout"


def test_what_is_no_token_is_said_to_be_none_with_exit_code_1() -> None:
    found = run("inspect", text="hello")
    assert (found.exit_code, "this is no JWT" in found.output) == (1, True)


def test_a_secret_is_hashed_for_the_settings() -> None:
    hashed = run("hash-secret", text="open sesame\n").output.strip()
    assert hashed.startswith("$argon2id$")
    assert _verify(hashed, "open sesame")


def test_an_empty_secret_is_refused() -> None:
    assert run("hash-secret", text="\n").exit_code == 1


def test_explain_needs_a_ledger(config: str) -> None:
    found = run("-c", config, "explain", "abc", PEPPER="x" * 43)
    assert found.exit_code == 3
    assert "enable audit-log" in found.output


def test_explain_says_when_the_ledger_does_not_have_it(tmp_path: Path) -> None:
    path = tmp_path / "cambist.toml"
    path.write_text(f'issuer = "{ISSUER}"\n[plugins.opa-wasm]\n[plugins.audit-log]\ndirectory = "{tmp_path}/audit"\nkek = "{"4b" * 32}"\n')
    found = run("-c", str(path), "explain", "abc")
    assert (found.exit_code, "no decision abc" in found.output) == (1, True)


def test_a_command_that_nobody_brings_is_a_wrong_command_line(config: str) -> None:
    found = run("-c", config, "fnord", PEPPER="x" * 43)
    assert found.exit_code == 2
    assert "no command 'fnord'" in found.output


def test_a_plugins_command_runs_in_the_open_service(config: str) -> None:
    created = run("-c", config, "api-key", "create", "--owner", "shop", "--subject", "checkout", "--json", PEPPER="x" * 43)
    assert created.exit_code == 0, created.output


def test_exchange_says_when_nobody_answers(tmp_path: Path) -> None:
    found = run("exchange", "--url", "http://127.0.0.1:9", "--audience", "https://api.example.test", text="token")
    assert found.exit_code == 3
    assert "no answer from http://127.0.0.1:9" in found.output
