"""What a policy is asked, as the one JSON document that every backend and every rule is written against.

Its version changes when a member changes its meaning or goes; new members may come without. What the caller merely
claims stands under `request`; everything else was proved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from .errors import Unavailable
from .value import Value

VERSION: Literal[1] = 1


class Party(Value, frozen=True, kw_only=True):
    """Somebody who was proved. `id` is the name in tokens of this zone; `attributes` are what the issuer says, and no more than that."""

    id: str
    issuer: str
    subject: str
    token_type: str | None = None
    expires_at: int | None = None
    audience: list[str] | None = None
    scope: list[str] | None = None
    attributes: Mapping[str, Any] | None = None


class Client(Value, frozen=True, kw_only=True):
    """Who calls. `application` is false where the subject's own credential authenticated the call."""

    id: str
    method: str
    application: bool


class Asked(Value, frozen=True, kw_only=True):
    """One target. `scopes` are those that the operator declared for it, null where none are declared."""

    id: str
    declared: bool
    scopes: list[str] | None = None


class Execution(Value, frozen=True, kw_only=True):
    """The one HTTP action that the token is for."""

    htm: str
    htu: str
    nonce: str
    payload_hash: str | None = None


class RequestDocument(Value, frozen=True, kw_only=True):
    """What the caller asked for. `ttl` is in seconds."""

    grant_type: str
    targets: list[Asked]
    scope: list[str]
    requested_token_type: str | None = None
    ttl: int | None = None
    execution_scope: Execution | None = None


class Question(Value, frozen=True, kw_only=True):
    """The whole document. `now` is in seconds since 1970; `chain` holds earlier actors, latest first: history, not authority."""

    version: Literal[1]
    zone: str
    now: int
    subject: Party
    actor: Party | None
    chain: list[Party]
    client: Client
    request: RequestDocument


def seconds(moment: float) -> int | None:
    """A time as JSON can say it; null where there is no end."""
    return None if math.isinf(moment) else math.floor(moment)


# ── as bytes, which is how every engine is asked ────────────────────────────────────────────────────────


def encoded(question: Question) -> bytes:
    """The document as strict JSON. Raises Unavailable where what was proved cannot be said in JSON.

    What OPA cannot parse it takes for undefined, and negated rules may then allow: so nothing doubtful is sent.
    """
    try:
        for party in (question.subject, question.actor):
            if party is not None:
                _finite(party.attributes)
        return _ENCODER.encode(question)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unavailable(what="the question to the policy", cause=f"it cannot be said in JSON: {error}") from error


def probe() -> bytes:
    """A question about nobody, to which sound rules have an answer."""
    nobody = Party(id="wimse://probe.invalid/nobody", issuer="https://probe.invalid", subject="nobody", attributes={})
    return encoded(
        Question(
            version=VERSION,
            zone="default",
            now=0,
            subject=nobody,
            actor=None,
            chain=[],
            client=Client(id="nobody", method="none", application=False),
            request=RequestDocument(
                grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
                targets=[Asked(id="https://probe.invalid/target", declared=False)],
                scope=[],
            ),
        )
    )


def _finite(value: object) -> None:
    """The encoder writes null for NaN and infinity, and a bound that is null is none."""
    kind = type(value)
    if kind in _FINITE:  # most of what there is, and asking what it is an instance of would cost more than encoding it
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number is not finite")
    elif kind is dict or isinstance(value, Mapping):
        for member in value.values():  # type: ignore[attr-defined]  # mypy does not narrow by the left side
            if type(member) not in _FINITE:  # asked here, not by a call for each claim
                _finite(member)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            _finite(member)


def _plain(value: Any) -> Any:
    """Mappings that are not dictionaries, such as read-only views."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_FINITE = frozenset({str, int, bool, type(None)})
_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
