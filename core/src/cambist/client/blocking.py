"""The client for threads: no event loop, here or beside it."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Self, Unpack

import httpx

from . import exchange
from .asking import TIMEOUT, Asking
from .refused import ExchangeFailed, ExchangeUnavailable
from .source import Source, read
from .token import IssuedToken
from .wanted import Asked, Wanted

log = logging.getLogger(__name__)


class Client(Asking[httpx.Client, Source]):
    __doc__ = Asking.__doc__

    @staticmethod
    def _made(trust: ssl.SSLContext) -> httpx.Client:
        return httpx.Client(trust_env=False, verify=trust, timeout=TIMEOUT)

    def _begun(self) -> None:
        self._flights: dict[str, Future[IssuedToken]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forgets all tokens."""
        with self._lock:
            self._kept.clear()
        if self._owns:
            self._http.close()

    def token(self, **asked: Unpack[Asked]) -> IssuedToken:
        """A token that is good: one that is kept, or a new one. Raises ExchangeFailed in one of its kinds."""
        wanted = self._read(asked)
        if not wanted.may_be_kept:
            return self._exchanged(wanted)
        key, now = wanted.key(), self._clock()
        with self._lock:
            kept, flight = self._kept.find(key, now), self._flights.get(key)
            if kept is not None and (flight is not None or not self._kept.is_due(key, kept, now)):
                return kept
            if flight is None:
                mine = self._flights[key] = Future()
        return self._led(key, wanted, mine, kept) if flight is None else flight.result()

    def exchange(self, **asked: Unpack[Asked]) -> IssuedToken:
        """A new token, which is not kept. Raises ExchangeFailed in one of its kinds."""
        return self._exchanged(self._read(asked))

    def _read(self, asked: Asked) -> Wanted:
        subject, actor = self._subject, self._actor
        return self._wanted(asked, None if subject is None else read(subject), None if actor is None else read(actor))

    def _led(self, key: str, wanted: Wanted, flight: Future[IssuedToken], kept: IssuedToken | None) -> IssuedToken:
        """Exchange for all who wait. When it fails, the old token serves while it is good."""
        try:
            token = self._exchanged(wanted)
        except BaseException as error:
            with self._lock:
                del self._flights[key]
                self._kept.failed(key, self._clock())
            flight.set_exception(error if isinstance(error, Exception) else _given_up())
            if kept is None or not isinstance(error, ExchangeFailed):
                raise
            log.warning("a token is not renewed yet: %s", error)
            return kept
        with self._lock:
            del self._flights[key]
            self._kept.keep(key, token)
        flight.set_result(token)
        return token

    def _exchanged(self, wanted: Wanted) -> IssuedToken:
        left = self._patience
        while True:
            try:
                return self._attempt(wanted)
            except ExchangeUnavailable as error:
                if (wait := exchange.pause(error, left)) is None:
                    raise
                left -= wait
                time.sleep(wait)

    def _attempt(self, wanted: Wanted) -> IssuedToken:
        sent = self._request(wanted)
        began = self._clock()
        try:
            request = self._http.build_request("POST", sent.url, headers=dict(sent.headers), content=sent.content)
            # A redirect would carry credentials to another place.
            response = self._http.send(request, stream=True, auth=None, follow_redirects=False)
            try:
                body = self._body(response)
            finally:
                response.close()
        except (httpx.HTTPError, TimeoutError) as error:
            raise exchange.unreachable(sent.url, error) from None
        return exchange.answered(response.status_code, response.headers, body, began)

    def _body(self, response: httpx.Response) -> bytes:
        body, ends = bytearray(), time.monotonic() + TIMEOUT
        self._check(response.headers, body)
        for chunk in response.iter_bytes():
            body += chunk
            self._check(response.headers, body)
            if time.monotonic() > ends:
                raise TimeoutError
        return bytes(body)


def _given_up() -> ExchangeUnavailable:
    return ExchangeUnavailable("whoever asked for this token gave up", reason="no_answer", retryable=True)
