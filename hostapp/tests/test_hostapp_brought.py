"""Commands that a key store and a store bring, as a person types them: with a zone before them, and when nothing else can open."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cambist_hostapp.cli import main

KEK = "5e" * 32
SETTINGS = """
issuer = "https://sts.example.test"
[zones.blue]
[plugins.keys-file]
directory = "{folder}/keys"
[plugins.sqlite]
path = "{folder}/store.sqlite"
"""
"""No policy is enabled, so the service itself does not start: a key must be withdrawn, and a store restored, all the same."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cambist.toml").write_text(SETTINGS.format(folder=tmp_path))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    environment = {"CAMBIST_CONFIG": str(folder / "cambist.toml"), "CAMBIST_KEK": KEK}
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


def kid(folder: Path, *arguments: str) -> str:
    found = run(folder, *arguments, "--json")
    assert found.exit_code == 0, found.output
    return str(json.loads(found.stdout)["kid"])


def listed(folder: Path, *zone: str) -> dict[str, list[str]]:
    rows = json.loads(run(folder, *zone, "keys", "list", "--json").stdout)
    return {name: [row["kid"] for row in rows if row["zone_id"] == name] for name in {row["zone_id"] for row in rows}}


def test_the_zone_stands_before_the_command_or_behind_it(folder: Path) -> None:
    default = kid(folder, "keys", "create", "--zone", "default")
    blue = kid(folder, "--zone", "blue", "keys", "create")
    assert listed(folder) == {"default": [default], "blue": [blue]}
    assert listed(folder, "--zone", "blue") == {"blue": [blue]}
    new = kid(folder, "--zone", "blue", "keys", "rotate")
    assert listed(folder) == {"default": [default], "blue": [new, blue]}
    also = kid(folder, "--zone", "blue", "keys", "rotate", "--zone", "default")
    assert listed(folder)["default"] == [also, default]


def test_a_key_is_withdrawn_while_nothing_else_opens(folder: Path) -> None:
    stolen = kid(folder, "keys", "create", "--zone", "default")
    assert run(folder, "check").exit_code == 3
    assert run(folder, "--zone", "default", "keys", "withdraw", stolen).exit_code == 0
    assert stolen not in listed(folder)["default"]


@pytest.mark.parametrize("arguments", [["--zone", "green", "keys", "create"], ["keys", "create", "--zone", "green"], ["keys", "create"]])
def test_a_zone_that_is_not_declared_or_not_named_gets_no_keys(folder: Path, arguments: list[str]) -> None:
    assert run(folder, *arguments).exit_code == 2
    assert list((folder / "keys").glob("*.json")) == []


def test_the_keys_of_another_kek_are_told(folder: Path) -> None:
    kid(folder, "keys", "create", "--zone", "default")
    environment = {"CAMBIST_CONFIG": str(folder / "cambist.toml"), "CAMBIST_KEK": "6f" * 32}
    found = CliRunner().invoke(main, ["keys", "list"], env=environment, catch_exceptions=False)
    assert found.exit_code == 3
    assert "the key file of zone default" in found.output
    assert "it was written under another KEK" in found.output


def test_a_store_is_copied_damaged_and_restored(folder: Path) -> None:
    kid(folder, "keys", "create", "--zone", "default")
    store, copy = folder / "store.sqlite", folder / "copy.sqlite"
    assert run(folder, "store", "backup", str(copy)).exit_code == 0
    store.write_bytes(b"garbage " * 1000)
    refused = run(folder, "keys", "list")
    assert (refused.exit_code, "the file is no SQLite database" in refused.output) == (3, True)
    restored = run(folder, "store", "restore", str(copy))
    assert restored.exit_code == 0
    assert "revoke again what was revoked since" in restored.stderr
    assert run(folder, "keys", "list").exit_code == 0


def test_a_store_of_a_newer_program_is_refused_by_all_of_them(folder: Path) -> None:
    run(folder, "keys", "list")
    connection = sqlite3.connect(folder / "store.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    for arguments in (["keys", "list"], ["store", "migrate"], ["store", "backup", str(folder / "copy")]):
        found = run(folder, *arguments)
        assert (found.exit_code, "knows none above" in found.output) == (3, True)
    assert not (folder / "copy").exists()


def test_a_store_in_memory_has_nothing_to_look_after(tmp_path: Path) -> None:
    (tmp_path / "cambist.toml").write_text('issuer = "https://sts.example.test"\n')
    found = run(tmp_path, "store", "backup", "copy")
    assert found.exit_code == 2
    assert "no command 'store'" in found.output
