"""A service as an operator runs it: `cambist serve` in a process of its own, over real HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE

from .running import free_port, running

CAMBIST = (sys.executable, "-m", "cambist_hostapp")
SETTINGS = """
issuer = "{url}"
authenticates = {types}
[listen]
host = "127.0.0.1"
port = {port}
[plugins.opa-wasm]
data = "{folder}/grants.json"
[plugins.keys-file]
directory = "{folder}/keys"
kek = "{kek}"
[plugins.sqlite]
path = "{folder}/cambist.sqlite"
[plugins.audit-log]
directory = "{folder}/audit"
kek = "{kek}"
"""


@dataclass(frozen=True)
class Served:
    """A service that answers at `url`, with every embedded default; its files are in `folder`."""

    url: str
    folder: Path
    http: httpx.Client

    def form(self, token: str, **parameters: Any) -> httpx.Response:
        body = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": JWT, **parameters}
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.http.post("/oauth/2/token", content=urlencode(body, doseq=True), headers=kind)

    def json(self, token: str, **members: Any) -> httpx.Response:
        body = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": JWT, **members}
        return self.http.post("/v1/exchange/token", json=body)


def address() -> str:
    """A URL on this machine at which nothing listens yet."""
    return f"http://localhost:{free_port()}"


@contextmanager
def served(folder: Path, url: str, toml: str, grants: Mapping[str, Any], *, authenticates: Sequence[str] = (JWT,)) -> Iterator[Served]:
    """Serve the embedded defaults, with `toml` added to the settings and `grants` as the policy's data, until the block ends."""
    port = httpx.URL(url).port
    settings = SETTINGS.format(url=url, port=port, folder=folder, kek="4b" * 32, types=json.dumps(authenticates))
    (folder / "cambist.toml").write_text(settings + toml, "utf-8")
    (folder / "grants.json").write_text(json.dumps(grants), "utf-8")
    command = [*CAMBIST, "-c", folder / "cambist.toml", "serve"]
    with running(command, f"{url}/ready", folder / "serve.log"), httpx.Client(base_url=url, trust_env=False, timeout=10) as http:
        yield Served(url, folder, http)
