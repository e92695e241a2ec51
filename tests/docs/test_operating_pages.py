"""The pages for those who set a service up and look after it: their commands are run on a service that serves, as they stand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from habits.machine import Machine
from habits.pages import blocks
from habits.workspace import ROOT

from cambist.client_secret import hash_secret
from cambist.testing import Forge

PAGES = ROOT / "docs" / "how-to"
SETTINGS = blocks(PAGES / "run-under-systemd.md", "toml")[0]
ISSUER, STS, TARGET = "https://login.example.com", "https://sts.example.com", "https://billing.example.com"
KEK = "4b" * 32

pytestmark = pytest.mark.timeout(300)  # on a busy machine each of many commands takes seconds


@pytest.fixture
def machine(tmp_path: Path, curl: Path) -> Machine:
    """With the settings of run-under-systemd.md; nothing runs yet."""
    machine = Machine(tmp_path, curl)
    machine.settle(SETTINGS)
    etc = tmp_path / "etc" / "cambist"
    (etc / "kek").write_text(KEK, "utf-8")
    (etc / "grants.json").write_text("{}", "utf-8")
    return machine


def page(name: str, language: str = "sh") -> list[str]:
    return blocks(PAGES / name, language)


def test_keys_are_rotated_as_rotate_keys_says(machine: Machine, tmp_path: Path) -> None:
    create, rotate, compromised, kek, rewrap = page("rotate-keys.md")
    by_schedule, both = page("rotate-keys.md", "toml")
    old = SETTINGS[SETTINGS.index("[plugins.keys-file]") : SETTINGS.index("[plugins.sqlite]")]
    machine.settle(SETTINGS.replace(old, by_schedule + "\n"))
    wrote = machine.ran(f"systemctl start cambist\n{create}echo -----\n{rotate}echo -----\n{compromised}cambist keys list\n")
    first, second, third = wrote.split("-----\n")
    assert "is made, and signs" in first
    assert "is published; it signs from" in second
    assert len(second.splitlines()) > len(first.splitlines()) - 1
    assert len([line for line in third.splitlines() if "sign" in line]) == 2  # what it says, and the one that is left

    written = tmp_path / "renewed.toml"
    others = (
        SETTINGS[: SETTINGS.index("[plugins.keys-file]")]
        + SETTINGS[SETTINGS.index("[plugins.sqlite]") : SETTINGS.index("[plugins.audit-log]")]
    )
    before = (tmp_path / "etc" / "cambist" / "cambist.toml").read_text("utf-8")
    machine.settle(others + both)
    (tmp_path / "etc" / "cambist" / "cambist.toml").rename(written)
    (tmp_path / "etc" / "cambist" / "cambist.toml").write_text(before, "utf-8")
    export = create.splitlines()[0]
    wrote = machine.ran(f"{export}\nsystemctl start cambist\n{kek}cp {written} /etc/cambist/cambist.toml\n{rewrap}cambist audit verify\n")
    assert "is under the KEK now" in wrote
    assert "whole" in wrote


def test_a_backup_is_restored_as_back_up_and_restore_says(machine: Machine, tmp_path: Path) -> None:
    backup, restore, verify = page("back-up-and-restore.md")
    begin = "systemctl start cambist\ncambist -c /etc/cambist/cambist.toml keys create --zone default\n"
    revoke, listed = "cambist revoke application checkout\n", "cambist revoke list\n"
    wrote = machine.ran(begin + backup + revoke + restore + verify + listed)
    assert "version" in wrote
    assert "What was written after the backup was made is forgotten, revocations too" in wrote
    assert "whole" in wrote
    assert "checkout" not in wrote[wrote.index("whole") :]
    assert (tmp_path / "backup" / "keys" / "default.json").is_file()


def test_an_upgrade_and_the_way_back_go_as_upgrade_says(machine: Machine) -> None:
    copy, install, back = page("upgrade.md")
    wrote = machine.ran(f"systemctl start cambist\n{copy}{install}{back}systemctl status cambist\n")
    assert "has version" in wrote
    assert "✓ sqlite" in wrote


def test_what_is_revoked_is_listed_as_cut_somebody_off_says(machine: Machine) -> None:
    [commands] = page("cut-somebody-off.md")
    wrote = machine.ran(f"export CAMBIST_CONFIG=/etc/cambist/cambist.toml\nsystemctl start cambist\n{commands}")
    listed = wrote[-2000:]
    for what in ("5f2c6b1e", "leaked in a build log", "Nc0Xo1Zr4sTzN6Zc3Wc1Bw", "build-robot", "checkout", "key-2026-01"):
        assert what in listed


def test_a_service_runs_as_run_it_says(machine: Machine, tmp_path: Path) -> None:
    check, serve = page("run-it.md")[0].splitlines()
    [workers] = page("run-it.md")[1].splitlines()
    for command in (serve, workers):
        ready = f"until curl --silent --fail --output ready http://127.0.0.1:{machine.port}/ready; do kill -0 $!; sleep 0.1; done"
        machine.ran(f"{check}\n{command} > log 2>&1 &\n{ready}\nkill -TERM $!\nwait $!")
    assert json.loads((tmp_path / "ready").read_text("utf-8"))["checks"]["worker 4"] == "ok"


def test_a_token_of_an_own_issuer_is_exchanged_as_the_pages_say(machine: Machine, tmp_path: Path) -> None:
    """From the issuer to the application that calls and the grant that lets it, to the token."""
    [hashing] = page("let-an-application-call.md")
    check, exchange = page("accept-an-issuer.md")
    forge, etc = Forge(ISSUER, STS, time.time), tmp_path / "etc" / "cambist"
    (etc / "keys.json").write_text(json.dumps(forge.jwks), "utf-8")
    (tmp_path / "token").write_text(forge.jwt(sub="build-7"), "utf-8")
    grants = {ISSUER: {"build-7": {TARGET: {"scopes": ["read"]}}}}
    clients: dict[str, Any] = {"checkout": {ISSUER: {"*": {}}}}
    (etc / "grants.json").write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants, "clients": clients}}}}), "utf-8")
    own = SETTINGS.replace(f'issuer = "{ISSUER}"\n', f'issuer = "{ISSUER}"\njwks_file = "/etc/cambist/keys.json"\n')
    application = page("let-an-application-call.md", "toml")[0]
    (etc / "checkout.hash").write_text(hash_secret("a long random secret"), "utf-8")
    machine.settle(f"{own}\n{application}")
    at = exchange.replace("cambist exchange ", f"cambist exchange --url http://127.0.0.1:{machine.port} ")
    wrote = machine.ran(f"{hashing}{check}systemctl start cambist\n{at}")
    assert "$argon2id$" in wrote
    assert "it would be accepted" in wrote
    assert TARGET in wrote[wrote.index("access token") :]


def test_a_policy_is_asked_as_decide_who_gets_what_says(machine: Machine, tmp_path: Path) -> None:
    [ask] = page("decide-who-gets-what.md")
    [grants] = page("decide-who-gets-what.md", "json")
    (tmp_path / "etc" / "cambist" / "grants.json").write_text(grants, "utf-8")
    question = json.loads(blocks(ROOT / "policies" / "README.md", "json")[0])
    (tmp_path / "question.json").write_text(json.dumps(question), "utf-8")
    assert "denied" in machine.ran(f"{ask.strip()} || true")
    workload = {"issuer": "https://kubernetes.default.svc.cluster.local", "subject": "system:serviceaccount:shop:checkout"}
    question["subject"] |= workload
    question["client"] |= {"application": False}
    question["request"] |= {"scope": ["orders:read"]}
    (tmp_path / "question.json").write_text(json.dumps(question), "utf-8")
    assert "allowed" in machine.ran(ask)
