"""The exchange with which the pages on ID tokens and on access tokens end, as it stands but for addresses."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from habits.pages import Shell, blocks
from habits.served import address, served
from habits.workspace import ROOT

from cambist.client_secret import hash_secret
from cambist.testing import AccessTokenForge, IdTokenForge
from cambist.token_type import ID_TOKEN

PAGES = ROOT / "docs" / "how-to"
ISSUER, SUBJECT = "https://login.example.com", "workload-1"
MEMBERS = {"token_type": "Bearer", "expires_in": 300}


def granted(target: str, scope: str, **more: Any) -> dict[str, Any]:
    return {"cambist": {"zones": {"default": {"grants": {ISSUER: {SUBJECT: {target: {"scopes": [scope], "ttl": 300}}}}, **more}}}}


def test_an_id_token_is_exchanged_as_the_page_says(tmp_path: Path, curl: Path) -> None:
    page = PAGES / "accept-id-tokens.md"
    url, forge = address(), IdTokenForge(ISSUER, "cambist", time.time)
    (tmp_path / "keys.json").write_text(json.dumps(forge.jwks), "utf-8")
    settings = f'[[plugins.oidc.issuers]]\nissuer = "{ISSUER}"\naudience = ["cambist"]\njwks_file = "{tmp_path}/keys.json"\n'
    fetch, exchange = blocks(page, "sh")[-1].split("\n", 1)
    assert fetch.startswith("token=$(curl ")
    with served(tmp_path, url, settings, granted("https://registry.example.com", "push"), authenticates=(ID_TOKEN,)):
        wrote = Shell(tmp_path, curl.parent).ran(f"token={forge.jwt()}\n{exchange.replace('https://sts.example.com', url)}")
    _is_told_as_shown(page, wrote, "push")


def test_an_access_token_is_exchanged_as_the_page_says(tmp_path: Path, curl: Path) -> None:
    page = PAGES / "accept-access-tokens.md"
    url, forge = address(), AccessTokenForge(ISSUER, "orders", time.time)
    (tmp_path / "keys.json").write_text(json.dumps(forge.jwks), "utf-8")
    settings = f'[[plugins.access-token.issuers]]\nissuer = "{ISSUER}"\naudience = ["orders"]\njwks_file = "{tmp_path}/keys.json"\n'
    settings += f'[applications.orders-api]\nsecret_hash = "{hash_secret("a secret of the API")}"\n'
    grants = granted("https://billing.example.com", "read", clients={"orders-api": {ISSUER: {"*": {}}}})
    exchange = blocks(page, "sh")[-1].replace("https://sts.example.com", url)
    with served(tmp_path, url, settings, grants):
        wrote = Shell(tmp_path, curl.parent).ran(f"SECRET='a secret of the API' TOKEN={forge.jwt()}\n{exchange}")
    _is_told_as_shown(page, wrote, "read")


def _is_told_as_shown(page: Path, wrote: str, scope: str) -> None:
    told, shown = json.loads(wrote), json.loads(blocks(page, "json")[-1])
    assert told.keys() == shown.keys()
    kept = {name: value for name, value in shown.items() if name != "access_token"}
    assert {name: told[name] for name in kept} == kept
    assert MEMBERS | {"scope": scope} == {name: told[name] for name in (*MEMBERS, "scope")}
