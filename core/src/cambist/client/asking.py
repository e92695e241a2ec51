"""What both clients are made of: whom they ask, for whom, and what they have kept."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from ..token_type import JWT
from . import exchange
from .application import Application
from .exchange import MAX_ANSWER, Dialect, Request
from .kept import Kept
from .refused import ExchangeUnavailable
from .wanted import Asked, Shown, Wanted

H = TypeVar("H")
S = TypeVar("S")

TIMEOUT = 10.0
"""The longest that one attempt may take, in seconds."""


class Asking(ABC, Generic[H, S]):
    """Asks the service at `url` for tokens, for `subject` (without one: for the application itself), and `actor` acting for it.

    `token` keeps what it gets, by credential and by what was asked; callers who want the same at once wait for one exchange.
    Each exchange is one attempt, unless `patience` says how many seconds may be waited in all for a service that answers 503
    and says when to come again. `http` is a client of your own, for certificates or a proxy; it is not closed here.
    """

    def __init__(
        self,
        url: str,
        *,
        subject: S | None = None,
        subject_type: str = JWT,
        actor: S | None = None,
        actor_type: str = JWT,
        application: Application | None = None,
        zone: str | None = None,
        dialect: Dialect = "form",
        patience: float = 0.0,
        http: H | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._dialect = exchange.endpoint(url, dialect), dialect
        self._subject, self._subject_type = subject, subject_type
        self._actor, self._actor_type = actor, actor_type
        self._application, self._zone, self._patience, self._clock = application, zone, patience, clock
        self._owns, self._http = http is None, http or self._made(ssl.create_default_context())
        self._kept = Kept()
        self._begun()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._url}>"

    @staticmethod
    @abstractmethod
    def _made(trust: ssl.SSLContext) -> H:
        """A client that trusts what the system trusts (or SSL_CERT_FILE), and heeds nothing else of the environment."""

    @abstractmethod
    def _begun(self) -> None:
        """Makes what is needed to let several callers wait for one exchange."""

    def _wanted(self, asked: Asked, subject: str | None, actor: str | None) -> Wanted:
        return Wanted.of(
            asked,
            subject=None if subject is None else Shown(token=subject, token_type=self._subject_type),
            actor=None if actor is None else Shown(token=actor, token_type=self._actor_type),
            zone=self._zone,
        )

    def _request(self, wanted: Wanted) -> Request:
        """Reads files. Raises CredentialUnreadable."""
        proof = self._application.prove() if self._application else None
        return exchange.request(self._url, self._dialect, wanted, proof)

    def _check(self, headers: Mapping[str, str], body: bytes | bytearray) -> None:
        """Raises ExchangeUnavailable for an answer that is longer than any of a token endpoint, or would become so."""
        if len(body) > MAX_ANSWER or headers.get("content-encoding", "identity") != "identity":
            raise ExchangeUnavailable("the answer is not that of a token endpoint", reason="answer_unclear")
