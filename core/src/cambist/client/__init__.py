"""For applications that need tokens of this service: asked for once, kept while they are good, and renewed before they end.

    with Client("https://sts.example.com", subject=Path("/var/run/secrets/tokens/sts")) as client:
        headers = {"authorization": client.token(audience="https://api.example.com", scope="read").authorization}

`AsyncClient` is the same for asyncio. Needs no part of a server.
"""

from __future__ import annotations

from .application import Application as Application
from .application import by_assertion as by_assertion
from .application import by_secret as by_secret
from .asynchronous import AsyncClient as AsyncClient
from .blocking import Client as Client
from .refused import CredentialUnreadable as CredentialUnreadable
from .refused import ExchangeFailed as ExchangeFailed
from .refused import ExchangeRefused as ExchangeRefused
from .refused import ExchangeUnavailable as ExchangeUnavailable
from .token import IssuedToken as IssuedToken
from .wanted import Asked as Asked

__all__ = [
    "Application",
    "Asked",
    "AsyncClient",
    "Client",
    "CredentialUnreadable",
    "ExchangeFailed",
    "ExchangeRefused",
    "ExchangeUnavailable",
    "IssuedToken",
    "by_assertion",
    "by_secret",
]
