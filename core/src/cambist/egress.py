"""The one HTTP client: time-outs, size caps, no redirects, no environment, no surprises."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

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
            verify=trust,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
            headers={"accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # nobody whom we call gets to recognise us
            timeout=settings.timeout,  # for each part of a call: its default would end a call before ours, which is for the whole
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self._client.aclose()

    async def get(self, url: str, *, accept: str = "application/json") -> Answer:
        return await self.send("GET", url, headers={"accept": accept})

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> Answer:
        target = allowed(url)
        request = self._client.build_request(method, target, headers=dict(headers or {}), content=content)
        try:
            async with within(self._settings.timeout, f"{method} {_place(target)}"):
                return await self._answer(request)
        except DeadlineExceeded as error:
            raise Unavailable(what=_place(target), cause="no answer in time") from error
        except Unavailable:
            raise
        except Exception as error:  # httpx, and what it lets pass of names and ports that the socket does not take
            raise Unavailable(what=_place(target), cause=type(error).__name__) from error

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unavailable(what=_place(request.url), cause="a compressed answer, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._settings.max_body:
                    raise Unavailable(what=_place(request.url), cause="an answer above the size limit")
            return Answer(response.status_code, dict(response.headers), bytes(body))
        finally:
            await response.aclose()


def allowed(text: str) -> httpx.URL:
    """The URL, if it may be called; raises Unavailable.

    It is read by the parser that will call it: where two parsers differ, one of them judges what the other does not do.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Unavailable(what="a URL", cause="it cannot be read") from error
    if not url.host or url.userinfo:
        raise Unavailable(what=_place(url), cause="a URL without a host, or with a user in it")
    if url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK):
        return url
    raise Unavailable(what=_place(url), cause="only https is called, or http on this machine")


def _place(url: httpx.URL) -> str:
    """A URL without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
