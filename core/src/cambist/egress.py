"""The one HTTP client: time-outs, size caps, no redirects, no environment, no addresses but public ones, no surprises."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import httpx
from pydantic import AfterValidator, Field

from .address import NEAR, address, kind
from .clock import within
from .connection import Connections, Resolve, Resolver, Route, trusted, why
from .errors import DeadlineExceeded, Unavailable
from .secret import Secret
from .shape import Shape

DOCUMENTS = "application/json, application/jwk-set+json"
"""An API server of Kubernetes gives its keys to nobody who does not ask for a key set by its media type (RFC 7517 section 8.5)."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _host(text: str) -> str:
    """A host, as it is compared."""
    return text.lower().strip("[]").rstrip(".")


def _pattern(text: str) -> str:
    name = _host(text)
    if "*" in name.removeprefix("*.") or not name.removeprefix("*.") or any(mark in name for mark in "/@ "):
        raise ValueError(f"{text!r} is not a host, and not *. before one")
    return name


def _certificates(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:  # what is no PEM is an OSError, too
        raise ValueError(f"{path} cannot be read as certificates: {error.__class__.__name__}") from error
    return path


def _proxy(secret: Secret) -> Secret:
    try:
        url = httpx.URL(secret.reveal())
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError("must be the http or https URL of a proxy") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be the http or https URL of a proxy")
    return secret


Certificates = Annotated[Path, AfterValidator(_certificates)]


class EgressSettings(Shape):
    """How this service calls others."""

    timeout: float = Field(
        5.0, gt=0, le=60, description="The longest that one call may take, in seconds, from connecting to the last byte."
    )
    connect_timeout: float = Field(2.0, gt=0, le=60, description="The longest that finding and reaching a host may take, in seconds.")
    read_timeout: float = Field(5.0, gt=0, le=60, description="The longest silence within an answer, in seconds.")
    max_body: int = Field(512 * 1024, gt=0, description="The largest answer that is read, in bytes.")
    private: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(
        (),
        description="Hosts that may have an address that is not public: names, `*.` and a domain, or addresses as they stand in URLs. "
        "A link-local address must be listed itself.",
    )
    ca_file: Certificates | None = Field(None, description="Certificates to trust in place of the system's, as a PEM file.")
    authorities: Mapping[Annotated[str, AfterValidator(_pattern)], Certificates] = Field(
        default_factory=dict, description="Certificates to trust for one host in place of all others, as a PEM file for each host name."
    )
    proxy: Annotated[Secret, AfterValidator(_proxy)] | None = Field(
        None,
        description="A proxy that connects for us to all but `private` hosts and this machine. It looks names up itself, "
        "so that it must keep private addresses out; proxies in the environment are not used.",
    )
    keys_max_age: float = Field(
        300, ge=60, le=3600, description="After this many seconds an issuer's keys are fetched anew; a shorter `max-age` of its own counts."
    )
    keys_kept: float = Field(
        86_400, ge=0, le=86_400, description="How long an issuer's last good keys are believed while it cannot be reached, in seconds."
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Egress:
    """Calls out. Raises Unavailable for everything that is not an answer within the bounds."""

    def __init__(
        self, settings: EgressSettings, transport: httpx.AsyncBaseTransport | None = None, *, resolve: Resolve | None = None
    ) -> None:
        self.settings = settings
        self._resolver = Resolver()
        # The environment may name proxies and netrc files: it does not get a say in whom we talk to.
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            transport=transport or Connections(_Routes(settings), resolve or self._resolver),
            headers={"accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # nobody whom we call gets to recognise us
            timeout=httpx.Timeout(settings.timeout, connect=settings.connect_timeout, read=settings.read_timeout),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._resolver.close()
        await self._client.aclose()

    async def get(self, url: str, *, accept: str = DOCUMENTS, foreign: bool = False) -> Answer:
        return await self.send("GET", url, headers={"accept": accept}, foreign=foreign)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None, foreign: bool = False
    ) -> Answer:
        """`foreign`: somebody else named the URL, in a document or a token. It must be https, also to this machine."""
        target = allowed(url, foreign=foreign)
        _check_literal(target, self.settings)
        request = self._client.build_request(method, target, headers=dict(headers or {}), content=content)
        try:
            asked = answered(self._client, request, self.settings.max_body)
            return await within(self.settings.timeout, f"{method} {_place(target)}", asked)
        except DeadlineExceeded as error:
            raise Unavailable(what=_place(target), cause="no answer in time") from error
        except Unavailable:
            raise
        except Exception as error:  # httpx, and what it lets pass of names and ports that the socket does not take
            detail = {"detail": known} if (known := why(error)) else {}
            raise Unavailable(what=_place(target), cause=type(error).__name__, **detail) from error


async def answered(client: httpx.AsyncClient, request: httpx.Request, most: int) -> Answer:
    """The answer of whoever is asked, and of nobody whom it redirects to; `most` bytes of it. Raises Unavailable, and what httpx raises."""
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Unavailable(what=_place(request.url), cause="a compressed answer, which was not asked for")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most:
                raise Unavailable(what=_place(request.url), cause="an answer above the size limit")
        return Answer(response.status_code, dict(response.headers), bytes(body))
    finally:
        await response.aclose()


def allowed(text: str, *, foreign: bool = False) -> httpx.URL:
    """The URL, if it may be called; raises Unavailable.

    It is read by the parser that will call it: where two parsers differ, one of them judges what the other does not do.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Unavailable(what="a URL", cause="it cannot be read") from error
    if not url.host or url.userinfo:
        raise Unavailable(what=_place(url), cause="a URL without a host, or with a user in it")
    if url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK and not foreign):
        return url
    raise Unavailable(what=_place(url), cause="only https is called" if foreign else "only https is called, or http on this machine")


# ── who may be where ────────────────────────────────────────────────────────────────────────────────────


def objection(settings: EgressSettings, host: str, where: str) -> str | None:
    """What speaks against reaching a host by TLS at an address; an address that is not public is for those who are named."""
    if (place := address(where)) is None:
        return "it has no address"
    if (found := kind(place)) == "public":
        return None
    if address(_host(host)) == place and any(address(name) == place for name in settings.private):
        return None
    if found in NEAR and _named(settings.private, _host(host)):
        return None
    return f"its address is not public but {found}: name it in egress.private, if it is meant"


def _on_this_machine(host: str, where: str) -> str | None:
    """What is not encrypted stays here, whatever a hosts file says."""
    place = address(where)
    return None if place is not None and kind(place) == "loopback" else "http is for this machine only"


def _check_literal(url: httpx.URL, settings: EgressSettings) -> None:
    """Addresses, and the names of this machine, can be judged before anybody connects, and also where a proxy would."""
    host = url.raw_host.decode("ascii")
    where = "127.0.0.1" if _host(host) == "localhost" or _host(host).endswith(".localhost") else host
    if url.scheme == "https" and address(where) is not None and (told := objection(settings, host, where)):
        raise Unavailable(what=_place(url), cause=told)


def _named(patterns: tuple[str, ...], host: str) -> bool:
    return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in patterns)


class _Routes:
    """Every host's route; the certificates are read once."""

    def __init__(self, settings: EgressSettings) -> None:
        self._private = settings.private
        trust = trusted(settings.ca_file)
        own = {name: ssl.create_default_context(cafile=str(path)) for name, path in settings.authorities.items()}
        judge = partial(objection, settings)
        proxy = settings.proxy.reveal() if settings.proxy else None
        self._here = Route(_on_this_machine, trust)
        self._direct = {name: Route(judge, context) for name, context in ({"": trust} | own).items()}
        self._others = {name: Route(judge, context, proxy) for name, context in ({"": trust} | own).items()}

    def __call__(self, url: httpx.URL) -> Route:
        if url.scheme == "http":
            return self._here
        host = _host(url.raw_host.decode("ascii"))
        routes = self._direct if _named(self._private, host) else self._others
        return next((route for name, route in routes.items() if name and _named((name,), host)), routes[""])


def _place(url: httpx.URL) -> str:
    """A URL without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
