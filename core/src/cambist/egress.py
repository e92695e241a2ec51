"""The one HTTP client: time-outs, size caps, no redirects, no environment, no surprises."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from pydantic import Field

from .clock import within
from .errors import DeadlineExceeded, Unavailable
from .shape import Shape

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class EgressSettings(Shape):
    """How this service calls others."""

    timeout: float = Field(
        5.0, gt=0, le=60, description="The longest that one call may take, in seconds, from connecting to the last byte."
    )
    max_body: int = Field(512 * 1024, gt=0, description="The largest answer that is read, in bytes.")
    ca_file: str | None = Field(None, description="Certificates to trust in place of the system's, as a PEM file.")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Egress:
    """Calls out. Raises Unavailable for everything that is not an answer within the bounds."""

    def __init__(self, settings: EgressSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        trust = ssl.create_default_context(cafile=settings.ca_file)
        # The environment may name proxies and netrc files: it does not get a say in whom we talk to.
        self._client = httpx.AsyncClient(
            verify=trust, trust_env=False, follow_redirects=False, transport=transport, headers={"accept-encoding": "identity"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, accept: str = "application/json") -> Answer:
        return await self.send("GET", url, headers={"accept": accept})

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> Answer:
        _allowed(url)
        request = self._client.build_request(method, url, headers=dict(headers or {}), content=content)
        try:
            async with within(self._settings.timeout, f"{method} {_place(url)}"):
                return await self._answer(request)
        except httpx.HTTPError as error:
            raise Unavailable(what=_place(url), cause=type(error).__name__) from error
        except DeadlineExceeded as error:
            raise Unavailable(what=_place(url), cause="no answer in time") from error

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unavailable(what=_place(str(request.url)), cause="a compressed answer, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > self._settings.max_body:
                    raise Unavailable(what=_place(str(request.url)), cause="an answer above the size limit")
            return Answer(response.status_code, dict(response.headers), bytes(body))
        finally:
            await response.aclose()


def _allowed(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise Unavailable(what=_place(url), cause="only https is called, or http on this machine")


def _place(url: str) -> str:
    """A URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
