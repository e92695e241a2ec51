"""A question for a policy, complete, with as little as possible to say for it."""

from __future__ import annotations

from typing import Any

from ..caller import Caller
from ..identity import Identity, Proven
from ..policy import PolicyInput
from ..request import Dialect, ExchangeRequest
from ..target import Target
from ..token_type import JWT
from ..zone import TOKEN_EXCHANGE, Zone
from .clock import NOON
from .service import ISSUER

FOREIGN_ISSUER = "https://issuer.example.test"
TARGET = "https://api.example.test"


def question(**changes: Any) -> PolicyInput:
    """A workload that proves itself asks for one target and one scope; `changes` replace members of the question."""
    identity = Identity(issuer=FOREIGN_ISSUER, subject="workload-1")
    subject = Proven(identity=identity, expires_at=NOON + 600, token_type=JWT, audience=frozenset({ISSUER}))
    whole: dict[str, Any] = {
        "zone": Zone(issuer=ISSUER),
        "now": NOON,
        "request": ExchangeRequest(dialect=Dialect.OAUTH, grant_type=TOKEN_EXCHANGE, targets=(TARGET,), scope=("read",)),
        "client": Caller(id="workload-1", proven=subject, method="subject"),
        "subject": subject,
        "actor": None,
        "chain": (),
        "targets": (Target(id=TARGET),),
    }
    return PolicyInput(**(whole | changes))
