"""`cambist dev`: the first thing that anybody runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from habits.running import free_port, running
from habits.served import CAMBIST

PAGE = {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}


@pytest.fixture
def development(tmp_path: Path) -> Iterator[str]:
    """The URL of `cambist dev`, whose files are in `tmp_path`."""
    port = free_port()
    command = [*CAMBIST, "dev", "--port", str(port), "--issuer-port", str(free_port()), "--folder", str(tmp_path)]
    with running(command, f"http://localhost:{port}/ready", tmp_path / "dev.log"):
        yield f"http://localhost:{port}"


def test_once_ends_by_itself_with_a_verified_token_and_its_story() -> None:
    command = [*CAMBIST, "dev", "--once", "--port", str(free_port()), "--issuer-port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "verifies with the published keys" in done.stdout
    assert re.search(r"^decision \S+ .* permitted$", done.stdout, re.MULTILINE)
    for step in ("subject", "policy", "spend", "mint"):
        assert re.search(rf"^    {step} ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.row("J-exchange", real="curl")
def test_the_pages_own_curl_works_as_it_is_printed(development: str, tmp_path: Path, curl: Path) -> None:
    printed = _printed(tmp_path / "dev.log")
    script = printed.replace("curl --request", f"{curl} --silent --include --request")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    assert " 200" in head.splitlines()[0]
    assert "cache-control: no-store" in head.lower()
    members = json.loads(body)
    assert members.keys() == PAGE
    assert (members["expires_in"], members["token_type"], members["scope"]) == (300, "Bearer", "read:data")
    assert members["issued_token_type"] == "urn:ietf:params:oauth:token-type:jwt"


def test_a_decision_is_explained_while_the_service_runs(development: str, tmp_path: Path) -> None:
    refusal = httpx.post(f"{development}/v1/exchange/token", json={}, trust_env=False)
    asked = [*CAMBIST, "-c", str(tmp_path / "cambist.toml"), "explain", refusal.json()["decision_id"]]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "parameter_missing" in done.stdout


def test_what_was_changed_in_the_folder_stays_changed(development: str, tmp_path: Path) -> None:
    before = (tmp_path / "cambist.toml").read_text("utf-8")
    command = [*CAMBIST, "-c", str(tmp_path / "cambist.toml"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={**os.environ})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "cambist.toml").read_text("utf-8") == before


def test_a_port_that_is_taken_is_said_in_one_line(development: str) -> None:
    port = str(httpx.URL(development).port)
    done = subprocess.run(
        [*CAMBIST, "dev", "--once", "--port", port, "--issuer-port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "did not start" in done.stderr
    assert "Traceback" not in done.stderr


def _printed(log: Path) -> str:
    """The `curl` that was printed to copy, once it was."""
    for _ in range(100):
        if found := re.search(r"^curl --request POST.*?^  --data '[^']+'$", log.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8"))
