"""Every credential, key and secret of a whole service is sent and used, and then looked for in everything that it wrote or showed."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from attacks.canaries import Canaries
from chaos.stage import KEK, Stage, asking
from click.testing import CliRunner

from cambist.settings import parse
from cambist.sts import Sts
from cambist.token_type import API_KEY
from cambist_hostapp.cli import main

PEPPER, SECRET = secrets.token_hex(32), secrets.token_urlsafe(32)


class Whole(Stage):
    """The service of the chaos, and applications and keys by secret beside."""

    @property
    def settings(self) -> dict[str, Any]:
        settings = super().settings
        hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET)
        settings["applications"]["shop"] = {"secret_hash": hashed}
        settings["plugins"]["api-key"] = {"pepper": PEPPER}
        settings["authenticates"].append(API_KEY)
        return settings


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    stage = Whole(tmp_path_factory.mktemp("secrecy"))
    stage.start()
    yield stage
    stage.stop()


def command(stage: Whole, *words: str) -> str:
    """A command of the operator's, in a process of its own."""
    file = stage.folder / "cambist.toml"
    file.write_text(toml(stage.settings))
    done = subprocess.run(
        [sys.executable, "-m", "cambist_hostapp", "-c", file, *words], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def toml(document: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Tables and plain values, and JSON for what is inside a list: what this service's settings are made of."""
    plain = {name: value for name, value in document.items() if not isinstance(value, dict)}
    lines = [f"[{'.'.join(json.dumps(part) for part in path)}]"] if path else []
    lines += [f"{json.dumps(name)} = {_inline(value)}" for name, value in plain.items()]
    tables = [toml(value, (*path, name)) for name, value in document.items() if isinstance(value, dict)]
    return "\n".join([*lines, *tables])


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_inline(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(one) for one in value) + "]"
    return json.dumps(value)


def used(stage: Whole) -> tuple[Canaries, list[str]]:
    """Use everything once well and once badly; what must not be seen again, and what the callers were answered in refusals."""
    kept, told = Canaries(), []
    for secret in (KEK, PEPPER, SECRET):
        kept.keep(secret)
    created = json.loads(command(stage, "api-key", "create", "--owner", "a team", "--subject", "job", "--scope", "read", "--json"))
    key = created["key"]
    nonce = secrets.token_urlsafe(32)
    action = {"htm": "GET", "htu": "https://api.example.test/x", "nonce": nonce}
    members = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "https://api.example.test"}
    jwt = {**members, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
    subject, assertion = stage.subject(), stage.once()
    for text in (key, nonce, subject, assertion["data"]["client_assertion"]):
        kept.keep(text)
    with asking() as http:
        form, v1 = f"{stage.url}/oauth/2/token", f"{stage.url}/v1/exchange/token"
        requests: list[dict[str, Any]] = [
            {"url": v1, "json": {**jwt, "subject_token": subject, "execution_scope": action}},
            {"url": v1, "json": {**jwt, "subject_token": subject, "execution_scope": action}},
            {"url": form, "data": {**jwt, "subject_token": subject}, "auth": ("shop", SECRET)},
            {"url": form, "data": {**jwt, "subject_token": subject, "client_id": "shop", "client_secret": SECRET}},
            {"url": form, "data": {**jwt, "subject_token": subject, "client_id": "nobody", "client_secret": SECRET}},
            {"url": form, "data": {**members, "subject_token": key, "subject_token_type": API_KEY}},
            {"url": form, "data": {**members, "subject_token": key, "subject_token_type": "urn:nothing:of:that:name"}},
            {"url": form, "data": {**jwt, "subject_token": f"{subject}x"}},
            {"url": form, "data": {**jwt, "subject_token": subject, "scope": subject, "audience": subject}},
            {"url": f"{form}?subject_token={subject}", "data": jwt},
            assertion,
            assertion,
            {"url": v1, "json": {**jwt, "subject_token": {"inside": subject}}},
            {"url": v1, "content": subject, "headers": {"content-type": "application/json", "authorization": f"Bearer {subject}"}},
        ]
        for request in requests:
            answer = http.post(**request)
            if answer.status_code == 200:
                kept.keep(answer.json()["access_token"])
            else:
                told.append(answer.text + str(answer.headers))
        told += [http.get(f"{stage.url}{path}").text for path in ("/metrics", "/metrics.json", "/ready", "/.well-known/jwks.json")]
    return kept, told


def test_no_secret_is_seen_again(stage: Whole) -> None:
    kept, told = used(stage)
    assert len(kept) > 8
    for line in (stage.folder / "ledger").glob("*.jsonl"):
        told.append(line.read_text())
        told += [command(stage, "explain", json.loads(one)["decision_id"]) for one in line.read_text().splitlines()[1:4]]
    told += [command(stage, *words) for words in (("settings",), ("settings", "--json"), ("check",), ("keys", "list"), ("audit", "tail"))]
    told.append(stage.running.log)
    for pid in (*stage.running.pids, stage.running.supervisor):
        told.append(Path(f"/proc/{pid}/cmdline").read_text())
    assert [(found, text[:300]) for text in told for found in kept.seen_in(text)] == []


async def test_neither_settings_nor_a_service_print_what_they_keep(stage: Whole) -> None:
    kept = Canaries()
    for secret in (KEK, PEPPER):
        kept.keep(secret)
    settings = parse(stage.settings)
    sts = Sts(settings)
    async with sts.only_store():
        texts = [repr(settings), str(settings), repr(vars(settings)), repr(sts), repr(vars(sts))]
    assert [found for text in texts for found in kept.seen_in(text)] == []


def test_a_mistyped_setting_is_not_told_with_its_value(tmp_path: Path) -> None:
    file = tmp_path / "cambist.toml"
    file.write_text(f'issuer = "https://sts.example.test"\n[plugins.api-key]\npeper = "{PEPPER}"\n[plugins.sqlite]\npath = ["{SECRET}"]\n')
    told = CliRunner().invoke(main, ["-c", str(file), "check"]).output
    assert "peper" in told
    assert PEPPER not in told
    assert SECRET not in told


def test_the_search_finds_what_is_there(stage: Whole) -> None:
    kept = Canaries()
    token = stage.subject()
    kept.keep(token)
    kept.keep(SECRET)
    assert len(list(kept.seen_in(f"a line with {token} and {SECRET} in it"))) == 2
