"""The client for asyncio."""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import partial
from types import TracebackType
from typing import Self, Unpack

import httpx

from . import exchange
from .asking import TIMEOUT, Asking
from .refused import ExchangeFailed, ExchangeUnavailable
from .source import AsyncSource, read_async
from .token import IssuedToken
from .wanted import Asked, Wanted

log = logging.getLogger(__name__)


class AsyncClient(Asking[httpx.AsyncClient, AsyncSource]):
    __doc__ = Asking.__doc__

    @staticmethod
    def _made(trust: ssl.SSLContext) -> httpx.AsyncClient:
        return httpx.AsyncClient(trust_env=False, verify=trust, timeout=TIMEOUT)

    def _begun(self) -> None:
        self._flights: dict[str, asyncio.Task[IssuedToken]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Forgets all tokens, and ends what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._kept.clear()
        if self._owns:
            await self._http.aclose()

    async def token(self, **asked: Unpack[Asked]) -> IssuedToken:
        """A token that is good: one that is kept, or a new one. Raises ExchangeFailed in one of its kinds."""
        wanted = await self._read(asked)
        if not wanted.may_be_kept:
            return await self._exchanged(wanted)
        key, now = wanted.key(), self._clock()
        kept = self._kept.find(key, now)
        if kept is not None and not self._kept.is_due(key, kept, now):
            return kept
        flight = self._flights.get(key) or self._started(key, wanted)
        # One caller who gives up must not cancel the exchange that others wait for.
        return await asyncio.shield(flight) if kept is None else kept

    async def exchange(self, **asked: Unpack[Asked]) -> IssuedToken:
        """A new token, which is not kept. Raises ExchangeFailed in one of its kinds."""
        return await self._exchanged(await self._read(asked))

    async def _read(self, asked: Asked) -> Wanted:
        subject, actor = self._subject, self._actor
        return self._wanted(
            asked, None if subject is None else await read_async(subject), None if actor is None else await read_async(actor)
        )

    def _started(self, key: str, wanted: Wanted) -> asyncio.Task[IssuedToken]:
        flight = self._flights[key] = asyncio.create_task(self._exchanged(wanted))
        flight.add_done_callback(partial(self._landed, key))
        return flight

    def _landed(self, key: str, flight: asyncio.Task[IssuedToken]) -> None:
        self._flights.pop(key, None)
        if flight.cancelled():
            return
        if (error := flight.exception()) is None:
            self._kept.keep(key, flight.result())
        elif self._kept.failed(key, self._clock()):
            log.warning("a token is not renewed yet: %s", error if isinstance(error, ExchangeFailed) else type(error).__name__)

    async def _exchanged(self, wanted: Wanted) -> IssuedToken:
        left = self._patience
        while True:
            try:
                return await self._attempt(wanted)
            except ExchangeUnavailable as error:
                if (wait := exchange.pause(error, left)) is None:
                    raise
                left -= wait
                await asyncio.sleep(wait)

    async def _attempt(self, wanted: Wanted) -> IssuedToken:
        sent = await asyncio.to_thread(self._request, wanted)
        began = self._clock()
        try:
            async with asyncio.timeout(TIMEOUT):
                request = self._http.build_request("POST", sent.url, headers=dict(sent.headers), content=sent.content)
                # A redirect would carry credentials to another place.
                response = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
                try:
                    body = await self._body(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise exchange.unreachable(sent.url, error) from None
        return exchange.answered(response.status_code, response.headers, body, began)

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        self._check(response.headers, body)
        async for chunk in response.aiter_bytes():
            body += chunk
            self._check(response.headers, body)
        return bytes(body)
