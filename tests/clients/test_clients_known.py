"""The page of clients tells of those that are tried, and of no others."""

from __future__ import annotations

import importlib.metadata
import tomllib

import pytest

from .known import HERE, KNOWN, ROOT, Client

UNTRIED = {"C-caracalai"}
PROGRAMS = {".py", ".mjs", ".go", ".java"}


def test_every_promise_about_a_client_has_its_client() -> None:
    rows = tomllib.loads((ROOT / "tests" / "rows.toml").read_text("utf-8"))["rows"]
    assert {client.row for client in KNOWN.values() if client.row.startswith("C-")} | UNTRIED == {
        row for row in rows if row.startswith("C-")
    }


def test_every_program_is_on_the_page() -> None:
    found = {file for folder in ("python", "node", "go", "spring") for file in (HERE / folder).iterdir() if file.suffix in PROGRAMS}
    assert {client.path for client in KNOWN.values()} == found


@pytest.mark.parametrize("client", [client for client in KNOWN.values() if client.language == "python"], ids=lambda client: client.program)
def test_the_version_on_the_page_is_the_one_that_runs(client: Client) -> None:
    assert client.version == importlib.metadata.version(client.package)
