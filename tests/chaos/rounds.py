"""One round: load, a trouble at a random moment of it, service again, and then what was promised is looked at."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from .evidence import Evidence
from .judging import COLUMNS, judged, seconds_until_revoked
from .stage import Stage, asking, reason
from .trouble import Trouble, named

PATIENCE = 60.0
"""Seconds after which a service that does not come back is given up."""
BACK, REVOKED = 2.0, 1.0
"""Seconds within which there has to be service again, and within which a revocation has to hold in every worker."""


@dataclass(frozen=True)
class Round:
    """What came of one trouble. `back` is in seconds: from its end until a worker answers, that is what a client sees."""

    trouble: str
    back: float
    effective: float
    broken: dict[str, int]
    tokens: int
    once: int
    revoked: int
    unanswered: int = 0
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def kept(self) -> bool:
        return not any(self.broken.values())

    @property
    def well(self) -> bool:
        """Nothing was lost, and nothing took too long."""
        return self.kept and self.back <= BACK and self.effective <= REVOKED


def played(stage: Stage, trouble: Trouble, chance: random.Random, evidence: Evidence | None = None) -> Round:
    """Raises TimeoutError when the service does not come back."""
    evidence = evidence or Evidence()
    clients = evidence.load(stage)
    try:
        time.sleep(chance.uniform(0.2, 0.8))
        back = _back(stage, trouble(stage, chance))
        time.sleep(0.3)
    finally:
        evidence.stop.set()
        for client in clients:
            client.join(20)
    stage.running.ready(PATIENCE)
    return Round(
        named(trouble),
        back,
        seconds_until_revoked(stage),
        judged(stage, evidence),
        len(evidence.tokens),
        len(evidence.once),
        len(evidence.revoked),
        len(evidence.unanswered),
        evidence.answers,
    )


def _back(stage: Stage, since: float) -> float:
    """Seconds from a moment until a token is issued."""
    while time.monotonic() < since + PATIENCE:
        try:
            with asking() as http:
                if reason(http.post(**stage.exchange(stage.subject()))) == "permitted":
                    return time.monotonic() - since
        except httpx.HTTPError:
            pass
        time.sleep(0.01)
    raise TimeoutError(f"no token {PATIENCE} seconds after the trouble; the service logged:\n{stage.running.log[-3000:]}")


__all__ = ["BACK", "COLUMNS", "REVOKED", "Round", "played"]
