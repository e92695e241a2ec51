"""One request, read once, the same for every dialect and grant type."""

from __future__ import annotations

from enum import StrEnum

from .credential import Credential
from .value import Value


class Dialect(StrEnum):
    """Which of the two published endpoints was asked; it chooses claims and shapes, never a decision."""

    OAUTH = "oauth"
    V1 = "v1"


class ExecutionScope(Value, frozen=True, kw_only=True):
    """The one HTTP action that the token is for."""

    htm: str
    htu: str
    nonce: str
    payload_hash: str | None = None

    def document(self) -> dict[str, str]:
        members = {"htm": self.htm, "htu": self.htu, "nonce": self.nonce, "payload_hash": self.payload_hash}
        return {name: value for name, value in members.items() if value is not None}


class Presented(Value, frozen=True, kw_only=True):
    """Raw evidence of possession, as the transport saw it."""

    UNSEEN = frozenset({"dpop"})

    dpop: str | None = None


class ExchangeRequest(Value, frozen=True, kw_only=True):
    """What was asked. Targets and scopes keep the order in which they were sent, without repetition; `ttl` is in seconds.

    `issued_token_type` is what the answer will call the token, None where the grant's answer has no such member.
    """

    dialect: Dialect
    grant_type: str
    zone_id: str = "default"
    subject: Credential | None = None
    actor: Credential | None = None
    client: Credential | None = None
    client_id: str | None = None
    targets: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    requested_token_type: str | None = None
    issued_token_type: str | None = None
    ttl: int | None = None
    execution: ExecutionScope | None = None
    presented: Presented = Presented()
