"""How often one client may ask, and how often a secret may be guessed: refused before anything is proved."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from ..client_secret import CLIENT_SECRET
from ..compact import Compact
from ..errors import CallerUnproved, Refusal, TooManyRequests
from ..limits import Limits
from ..request import ExchangeRequest
from .buckets import MOST, Buckets

KNOWN = 3600.0
"""Seconds for which an address is known as one of a client's, after it proved itself from there."""
LONGEST = 128
"""Characters of an id; no application has a longer one."""

Client = tuple[str, str]
"""Zone and client id, as claimed."""


class Throttle:
    """For one worker. Limits by a claimed id must not let a stranger lock its owner out: addresses that proved to be the client's have
    buckets of their own.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._rated = clock, limits.client_rate is not None
        self._rates = Buckets(limits.client_rate or 0.0, limits.client_burst, clock=clock)
        self._failures = Buckets(limits.failures / 60, limits.failures, clock=clock)
        self._known: OrderedDict[tuple[str, Client], float] = OrderedDict()

    def admit(self, peer: str, request: ExchangeRequest) -> Client | None:
        """Whose request it claims to be. Raises TooManyRequests."""
        by_secret = _by_secret(request)
        client = claimed(request) if self._rated or by_secret else None
        if client is None:
            return None
        known = self._is_known(peer, client)
        waits = [self._failures.wait(key) for key in _guessed(peer, client, known)] if by_secret else []
        if wait := max(waits, default=0.0) or self._rates.take((client, known)):
            raise TooManyRequests(wait)
        return client

    def failed(self, peer: str, client: Client) -> None:
        for key in _guessed(peer, client, self._is_known(peer, client)):
            self._failures.take(key)

    def proved(self, peer: str, client: Client) -> None:
        self._known[peer, client] = self._clock() + KNOWN
        self._known.move_to_end((peer, client))
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def _is_known(self, peer: str, client: Client) -> bool:
        return self._known.get((peer, client), 0.0) > self._clock()


@dataclass(slots=True)
class Visit:
    """One request at the throttle, from before anything is proved until it is decided."""

    throttle: Throttle
    peer: str
    _client: Client | None = field(default=None, init=False)
    _secret: bool = field(default=False, init=False)

    def admitted(self, request: ExchangeRequest) -> ExchangeRequest:
        """Raises TooManyRequests."""
        self._client, self._secret = self.throttle.admit(self.peer, request), _by_secret(request)
        return request

    def refused(self, refusal: Refusal) -> None:
        if self._secret and self._client is not None and isinstance(refusal, CallerUnproved):
            self.throttle.failed(self.peer, self._client)

    def proved(self) -> None:
        if self._client is not None:
            self.throttle.proved(self.peer, self._client)


def claimed(request: ExchangeRequest) -> Client | None:
    """The client id that a request names, in whichever way; nothing of it is proved."""
    name = request.client_id or _in_credential(request)
    return (request.zone_id[:LONGEST], name[:LONGEST]) if name else None


def _in_credential(request: ExchangeRequest) -> str:
    if request.client is None:
        return ""
    if _by_secret(request):
        return unquote(request.client.token.partition(":")[0])
    try:
        subject = Compact.parse(request.client.token).claims.get("sub")
    except Refusal:
        return ""
    return subject if isinstance(subject, str) else ""


def _by_secret(request: ExchangeRequest) -> bool:
    """Only secrets can be guessed; a signature is not, however often it is tried."""
    return request.client is not None and request.client.token_type == CLIENT_SECRET


def _guessed(peer: str, client: Client, known: bool) -> tuple[tuple[object, ...], ...]:
    """What a failure is counted for. Who proved itself from there is not held up by the guesses of others, only by its own."""
    pair = ("pair", peer, client)
    return (pair,) if known else (pair, ("address", peer), ("client", client))
