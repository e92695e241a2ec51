"""The question as bytes. What OPA cannot parse it takes for undefined, and negated rules may then allow: so nothing doubtful is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from cambist import PolicyInput, Unavailable
from cambist.question import Asked, Client, Party, Question, RequestDocument


def encoded(question: PolicyInput) -> bytes:
    """Raises Unavailable where what was proved cannot be said in JSON."""
    try:
        document = question.document()
        for party in (document.subject, document.actor):
            if party is not None:
                _finite(party.attributes)
        return _ENCODER.encode(document)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unavailable(what="the question to the policy", cause=f"it cannot be said in JSON: {error}") from error


def probe() -> bytes:
    """A question about nobody, to which sound rules have an answer."""
    nobody = Party(id="wimse://probe.invalid/nobody", issuer="https://probe.invalid", subject="nobody", attributes={})
    return _ENCODER.encode(
        Question(
            version=1,
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
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number is not finite")
    elif isinstance(value, Mapping):
        for member in value.values():
            _finite(member)
    elif isinstance(value, list | tuple | set | frozenset):
        for member in value:
            _finite(member)


def _plain(value: Any) -> Any:
    """Mappings that are not dictionaries, such as read-only views."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
