"""The keys that a token service publishes, fetched as an API fetches them."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

import httpx

from ..discovery import Gets, fetched, stated
from ..egress import DOCUMENTS, Answer, allowed, answered
from ..errors import Unavailable

TIMEOUT = 5.0
"""The longest that one document may take, in seconds, from connecting to the last byte."""
MAX_BODY = 512 * 1024
KEYS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"


def client() -> httpx.AsyncClient:
    """Trusts what the system trusts (or SSL_CERT_FILE), and keeps no connection: keys are fetched once in minutes."""
    return httpx.AsyncClient(
        trust_env=False, verify=ssl.create_default_context(), timeout=TIMEOUT, limits=httpx.Limits(max_keepalive_connections=0)
    )


class Fetching:
    """Documents by HTTP: https, or http on this machine; no redirects, no compression, nothing long, nothing slow."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, url: str, *, foreign: bool = False) -> Answer:
        target = allowed(url, foreign=foreign)
        headers = {"accept": DOCUMENTS, "accept-encoding": "identity"}
        try:
            async with asyncio.timeout(TIMEOUT):
                return await answered(self._http, self._http.build_request("GET", target, headers=headers), MAX_BODY)
        except TimeoutError as error:
            raise Unavailable(what=url, cause="no answer in time") from error
        except Unavailable:
            raise
        except Exception as error:  # httpx, and what it lets pass of names and ports that the socket does not take
            raise Unavailable(what=url, cause=f"{type(error).__name__}: {error}") from error


async def located(http: Gets, issuer: str, zone: str) -> str:
    """Where the keys of a zone are: as its metadata says (RFC 8414), else where every such service has them. Raises Unavailable.

    A service has one page of keys for each zone and never a union, so the zone is named where the page is the common one.
    """
    try:
        found = stated((await fetched(http, metadata_url(issuer))).value, issuer)
    except Unavailable as error:
        if error.facts.get("status") != 404:
            raise
        found = issuer.rstrip("/") + KEYS
    return f"{found}?zone_id={zone}" if found.endswith(KEYS) else found


def metadata_url(issuer: str) -> str:
    """RFC 8414 section 3.1: the path of the issuer comes last."""
    parts = urlsplit(issuer)
    return parts._replace(path=METADATA + parts.path.rstrip("/")).geturl()
