"""MCP's PrivateKeyJWTOAuthProvider: the MCP server names its authorization server, whose metadata says the rest."""

import asyncio
import os
from pathlib import Path

import httpx2
from mcp import ClientSession
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


class Memory:
    """Where the provider keeps its token."""

    token: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """It is not registered here, but known by its key."""


async def main() -> None:
    key = Path(os.environ["KEY_PEM"]).read_text()
    signed = SignedJWTParameters(issuer="robot", subject="robot", signing_key=key, signing_algorithm="ES256", lifetime_seconds=60)
    provider = PrivateKeyJWTOAuthProvider(
        os.environ["MCP"],
        Memory(),
        "robot",
        signed.create_assertion_provider(),
        scope="read",
        issuer=os.environ["STS"],
    )
    async with (
        httpx2.AsyncClient(auth=provider) as http,
        streamable_http_client(os.environ["MCP"], http_client=http) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        answer = await session.call_tool("who", {})
        print(answer.content[0].text)


asyncio.run(main())
