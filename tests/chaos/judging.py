"""What was promised and not kept: everything that was acknowledged is asked for again when the trouble is over."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cambist.settings import parse
from cambist.store import Namespaced
from cambist.sts import Sts
from cambist_audit_log.checkpoints import Checkpoints
from cambist_audit_log.sealing import Keyring
from cambist_audit_log.settings import AuditLogSettings
from cambist_audit_log.verifying import Ledger

from .evidence import Evidence, token_id
from .stage import ISSUER, Stage, asking, reason

SETTLED = 0.7
"""Seconds after which a revocation must hold everywhere, with some of the second left for the asking."""
CONNECTIONS = 12
"""So many that every worker has one of them, but for one time in thousands."""
ASKING = 3
"""Threads that ask for a token while it is revoked."""
GIVEN_UP = 10.0
"""Seconds after which a revocation that does not hold is left."""
COLUMNS = ("lost revocations", "accepted twice", "broken keys", "tokens without a line", "ledger damage")


def judged(stage: Stage, evidence: Evidence) -> dict[str, int]:
    """How often each promise was broken, by column."""
    time.sleep(SETTLED)
    with asking() as http:
        withdrawn = [stage.exchange(token) for token in evidence.withdrawn()]
        counts = {
            "lost revocations": _other_than(http, "revoked", withdrawn),
            "accepted twice": evidence.twice + _twice(http, evidence),
            "broken keys": _broken(http, stage, evidence),
        }
    lines = set(_decisions(stage.folder / "ledger"))
    return counts | {
        "tokens without a line": sum(decision not in lines for decision, _ in evidence.tokens),
        "ledger damage": asyncio.run(_damage(stage)),
    }


def seconds_until_revoked(stage: Stage) -> float:
    """From the moment at which `cambist revoke` says so until nothing that is sent with the token is accepted by any worker.

    It is asked all the time: who is not asked looks at the store before the first answer.
    """
    token = stage.subject()
    accepted, enough = [0.0], threading.Event()
    with ThreadPoolExecutor(ASKING) as pool:
        done = [pool.submit(_asked, stage.exchange(token), accepted, enough) for _ in range(ASKING)]
        try:
            acknowledged = _revoke(stage, token)
            wait(done, GIVEN_UP)
        finally:
            enough.set()
    return max(0.0, max(accepted) - acknowledged)


def _revoke(stage: Stage, token: str) -> float:
    """When the command said so."""
    revoking = stage.command("revoke", "token", ISSUER, token_id(token))
    assert revoking.stdout is not None
    said, at = revoking.stdout.readline(), time.monotonic()
    if not said.startswith("revoked"):
        raise RuntimeError(said + revoking.communicate()[0])
    revoking.communicate()
    return at


def _asked(request: dict[str, Any], accepted: list[float], enough: threading.Event) -> None:
    """When it was sent and accepted, until it is refused so often that every worker has refused it."""
    refused = 0
    while refused < CONNECTIONS and not enough.is_set():
        with asking() as http:
            sent = time.monotonic()
            permitted = reason(http.post(**request)) == "permitted"
        refused = 0 if permitted else refused + 1
        accepted += [sent] if permitted else []


def _other_than(http: httpx.Client, expected: str, requests: Iterable[dict[str, Any]]) -> int:
    return sum(reason(http.post(**request)) != expected for request in requests)


def _twice(http: httpx.Client, evidence: Evidence) -> int:
    """What nobody had an answer to may be accepted now, and then no more."""
    for request in evidence.unanswered:
        http.post(**request)
    return _other_than(http, "replayed", [*evidence.spent(), *evidence.unanswered])


def _broken(http: httpx.Client, stage: Stage, evidence: Evidence) -> int:
    """Tokens that the published keys do not verify."""
    keys = KeySet.import_key_set(http.get(f"{stage.url}/.well-known/jwks.json").json())
    broken = 0
    for token in evidence.signed():
        try:
            jwt.decode(token, keys, algorithms=["ES256"])
        except (JoseError, ValueError):
            broken += 1
    return broken


def _decisions(ledger: Path) -> Iterator[str]:
    for segment in ledger.glob("*.jsonl"):
        for line in segment.read_bytes().splitlines():
            with suppress(ValueError):  # the last line of a process that was killed may be half
                if isinstance(found := json.loads(line).get("decision_id"), str):
                    yield found


async def _damage(stage: Stage) -> int:
    """What the verifier calls damaged; chains of killed processes are unclosed, which is none."""
    settings = AuditLogSettings.model_validate(stage.settings["plugins"]["audit-log"])
    async with Sts(parse(stage.settings)).only_store() as store:
        kept = await Checkpoints(Namespaced(store, "plugin/audit-log"), settings.owner).all()
    return int(Ledger(settings.directory, Keyring(settings.kek, settings.former_keks), settings.owner, kept).verified().damaged)
