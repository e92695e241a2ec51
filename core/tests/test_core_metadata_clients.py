"""Client libraries that read our metadata take it as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from mcp.shared.auth import OAuthMetadata
from msal.authority import Authority  # type: ignore[import-untyped]  # it has no types

from cambist.testing import ISSUER, open_sts

SHOP = f"{ISSUER}/z/shop"


async def documents() -> dict[str, httpx.Response]:
    paths = [f"/.well-known/oauth-authorization-server{path}" for path in ("", "/z/shop")]
    paths += ["/.well-known/openid-configuration", "/z/shop/.well-known/openid-configuration", "/.well-known/openid-configuration/z/shop"]
    async with open_sts({"zones": {"shop": {"issuer": SHOP}}}) as running:
        return {path: await running.http.get(path) for path in paths}


@pytest.mark.row("P-discovery")
async def test_the_mcp_sdk_reads_every_form_of_the_document() -> None:
    for path, answered in (await documents()).items():
        read = OAuthMetadata.model_validate_json(answered.content)
        assert str(read.issuer) == (SHOP if "shop" in path else ISSUER)
        assert str(read.token_endpoint) == f"{read.issuer}/oauth/2/token"


@dataclass
class Stored:
    """What MSAL sees as HTTP."""

    documents: dict[str, httpx.Response]

    def get(self, url: str, **_: Any) -> Any:
        found = self.documents[url.removeprefix(ISSUER)]
        return type("Response", (), {"status_code": found.status_code, "text": found.text, "headers": {}})()


@pytest.mark.row("P-discovery")
async def test_msal_takes_a_zone_as_an_authority() -> None:
    """It wants a path of at least one segment, an authorization endpoint, and the issuer that it was given."""
    authority = Authority(None, Stored(await documents()), oidc_authority_url=SHOP)
    assert authority.token_endpoint == f"{SHOP}/oauth/2/token"
    assert authority.authorization_endpoint == f"{SHOP}/oauth/2/authorize"


@pytest.mark.row("P-discovery")
async def test_authlib_finds_every_member_of_the_document_sound() -> None:
    """But for `response_types_supported`, which RFC 8414 section 3.2 has us leave out: there is none."""
    for answered in (await documents()).values():
        read = AuthorizationServerMetadata(answered.json())
        for name in set(read.REGISTRY_KEYS) - {"response_types_supported"}:
            getattr(read, f"validate_{name}")()
