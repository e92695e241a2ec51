"""The resource server: an API, and an MCP server, each behind `cambist.verify`. Both tell the caller whom they saw."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cambist.verify import Protected, VerifiedToken, Verifier
from cambist.verify.protected import TOKEN
from cambist_hostapp.authority import Certificates

METADATA = "/.well-known/oauth-protected-resource/mcp"
"""Where RFC 9728 section 3.1 has the metadata of `/mcp`: it leads an MCP client to the issuer."""


def seen(token: VerifiedToken) -> str:
    return json.dumps({"subject": token.subject, "client": token.client_id, "scope": sorted(token.scope), "actors": list(token.actors)})


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(seen(scope[TOKEN]))(scope, receive, send)


def mcp_server() -> ASGIApp:
    server = MCPServer("who")

    @server.tool(name="who", structured_output=False)
    def tool(context: Context[Any, Any]) -> str:
        """Say whom the server saw."""
        request = context.request_context.request
        assert request is not None
        return seen(request.scope[TOKEN])

    return server.streamable_http_app(json_response=True, stateless_http=True, host="localhost")


def application(issuer: str, url: str, http: httpx.AsyncClient) -> ASGIApp:
    """`/mcp` for MCP, everything else for any client, an audience each; `/unscoped` for who cannot ask for a scope."""
    mcp = mcp_server()
    metadata = JSONResponse({"resource": f"{url}/mcp", "authorization_servers": [issuer], "scopes_supported": ["read"]})
    apps: dict[str, ASGIApp] = {
        METADATA: metadata,
        "/mcp": Protected(mcp, Verifier(issuer=issuer, audience=f"{url}/mcp", http=http), scope={"read"}),
    }
    verifier = Verifier(issuer=issuer, audience=url, http=http)
    apps["/unscoped"] = Protected(who, verifier)
    tenant = Verifier(issuer=f"{issuer}/z/tenant", zone="tenant", audience=url, http=http)
    apps["/tenant"] = Protected(who, tenant, scope={"read"})
    other = Protected(who, verifier, scope={"read"})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with http:
                await mcp(scope, receive, send)
        else:
            await apps.get(scope["path"], other)(scope, receive, send)

    return app


@contextmanager
def api(issuer: str, port: int, trust: Certificates) -> Iterator[str]:
    """Serve it by TLS, in a thread, until the block ends; yields its URL."""
    url = f"https://localhost:{port}"
    http = httpx.AsyncClient(verify=ssl.create_default_context(cafile=trust.authority), trust_env=False)
    config = uvicorn.Config(
        application(issuer, url, http),
        host="localhost",
        port=port,
        ssl_certfile=trust.certificate,
        ssl_keyfile=trust.private_key,
        log_level="error",
        loop="asyncio",
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield url
    finally:
        server.should_exit = True
        thread.join()
