"""`cambist revoke` and `cambist trust distrust`: what an administrator cuts off is refused by a service that runs beside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cambist.settings import load
from cambist.sts import Sts
from cambist_hostapp.cli import main

SETTINGS = """
issuer = "https://sts.example.test"
[applications.ci]
secret_hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$qqSCqQPLbO7RKU9xFwvGNIYsoH+4nS5SlP0VlT6Aqxg"
[plugins.sqlite]
path = "{path}"
[plugins.opa-wasm]
bundle = "this is not there.tar.gz"
[zones.other]
"""
ISSUER = "https://issuer.example.test"


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "cambist.toml").write_text(SETTINGS.format(path=tmp_path / "store.db"))
    return str(tmp_path / "cambist.toml")


def run(config: str, *arguments: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["-c", config, *arguments], catch_exceptions=False)
    assert found.exit_code == code, found.output
    return found


def revoked(config: str) -> list[tuple[str, str, list[str], str]]:
    listed: list[dict[str, Any]] = json.loads(run(config, "revoke", "list", "--json").output)
    return [(one["zone"], one["kind"], one["parts"], one["reason"]) for one in listed]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("revoke", "token", ISSUER, "j"), ("default", "token", [ISSUER, "j"])),
        (("revoke", "transaction", "t"), ("default", "transaction", ["t"])),
        (("revoke", "application", "ci"), ("default", "application", ["ci"])),
        (("--zone", "other", "revoke", "token", ISSUER, "j"), ("other", "token", [ISSUER, "j"])),
        (("trust", "distrust", ISSUER), ("", "issuer", [ISSUER])),
        (("trust", "distrust", ISSUER, "k"), ("", "key", [ISSUER, "k"])),
    ],
)
def test_what_is_cut_off_is_listed_until_it_is_lifted_though_the_policy_is_broken(
    config: str, command: tuple[str, ...], expected: tuple[str, str, list[str]]
) -> None:
    assert run(config, *command, "--reason", "leaked").output.startswith("revoked: ")
    assert revoked(config) == [(*expected, "leaked")]
    assert "(leaked)" in run(config, "revoke", "list").output
    assert run(config, *command, "--lift").output.startswith("accepted again: ")
    assert run(config, "revoke", "list").output == "nothing is revoked\n"


def test_a_subject_is_revoked_by_the_name_it_has_in_the_zone(config: str) -> None:
    run(config, "revoke", "subject", ISSUER, "robot")
    run(config, "--zone", "other", "revoke", "subject", ISSUER, "robot")
    names = {zone: parts[0] for zone, _, parts, _ in revoked(config)}
    path = "issuer/https_3a_2f_2fissuer.example.test/subject/robot"
    assert names == {"default": f"wimse://sts.example.test/{path}", "other": f"wimse://other.sts.example.test/{path}"}


def test_a_mistyped_zone_revokes_nothing(config: str) -> None:
    assert "no zone 'othr'" in run(config, "--zone", "othr", "revoke", "token", ISSUER, "j", code=2).output
    assert revoked(config) == []


def test_an_application_that_is_no_longer_declared_is_revoked_with_a_word_about_it(config: str) -> None:
    assert "declares no application 'gone'" in run(config, "revoke", "application", "gone").output
    assert revoked(config) == [("default", "application", ["gone"], "")]


def test_a_store_in_memory_is_said_to_reach_nobody(tmp_path: Path) -> None:
    (tmp_path / "cambist.toml").write_text('issuer = "https://sts.example.test"\n')
    assert "no other process can be told" in run(str(tmp_path / "cambist.toml"), "revoke", "token", ISSUER, "j", code=3).output


async def test_a_process_that_runs_beside_knows_within_a_second(config: str) -> None:
    async with Sts(load(Path(config))).only_store() as store:
        from cambist.revocation import Kind, Named, Revocations

        revocations = Revocations(store)
        assert not await revocations.any()
        await asyncio.to_thread(run, config, "trust", "distrust", ISSUER)
        await asyncio.sleep(0.6)
        assert await revocations.any()
        assert revocations.among("default", [Named(Kind.ISSUER, (ISSUER,))])
