"""What was acknowledged to those who asked, and what must still be true of it afterwards."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cambist.revocation import Kind, Revocation, Revocations
from cambist.settings import parse
from cambist.sts import Sts
from cambist_audit_log.checkpoints import Checkpoints
from cambist_audit_log.sealing import Keyring
from cambist_audit_log.settings import AuditLogSettings
from cambist_audit_log.verifying import Ledger

from .stage import ISSUER, Stage, asking, reason

CLIENTS = 4
SETTLED = 0.7
"""Seconds after which a revocation must hold everywhere, with some of the second left for the asking."""

COLUMNS = ("lost revocations", "accepted twice", "broken keys", "tokens without a line", "ledger damage")


@dataclass
class Evidence:
    """Written by the clients under load, read when the trouble is over."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    once: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def load(self, stage: Stage) -> list[threading.Thread]:
        """Clients that ask until they are stopped, and one administrator who revokes."""
        workers = [threading.Thread(target=self._ask, args=(stage,)) for _ in range(CLIENTS)]
        workers.append(threading.Thread(target=self._revoke, args=(stage,)))
        for worker in workers:
            worker.start()
        return workers

    def _ask(self, stage: Stage) -> None:
        while not self.stop.is_set():
            with asking() as http, suppress(httpx.HTTPError):
                while not self.stop.is_set():
                    self._one(http, stage.exchange(stage.subject()), single=False)
                    self._one(http, stage.once(), single=True)
            self.stop.wait(0.2)  # nobody is there; a client that asks all the time would only keep the machine from bringing it back

    def _one(self, http: httpx.Client, request: dict[str, Any], *, single: bool) -> None:
        answer = http.post(**request)
        self.answers[reason(answer)] += 1
        if answer.status_code == httpx.codes.OK:
            self.tokens.append((answer.headers["cambist-decision-id"], answer.json()["access_token"]))
            if single:
                self.once.append(request)

    def _revoke(self, stage: Stage) -> None:
        """Each acknowledged revocation is of a token that was never sent before: only the store can know of it."""
        while not self.stop.is_set():
            token = stage.subject()
            named = json.loads(jwt_payload(token))["jti"]
            with suppress(Exception):  # a store that is locked acknowledges nothing
                asyncio.run(_revoked(stage, Revocation(zone="default", kind=Kind.TOKEN, parts=(ISSUER, named), at=time.time())))
                self.revoked.append(token)
            self.stop.wait(0.2)


def jwt_payload(token: str) -> bytes:
    from cambist.compact import base64url

    return base64url(token.split(".")[1])


async def _revoked(stage: Stage, revocation: Revocation) -> None:
    async with Sts(parse(stage.settings)).only_store() as store:
        await Revocations(store).revoke(revocation, ttl=86_400 * 30)


def judged(stage: Stage, evidence: Evidence) -> dict[str, int]:
    """What was promised and not kept, by column."""
    time.sleep(SETTLED)
    with asking() as http:
        counts = {
            "lost revocations": sum(reason(http.post(**stage.exchange(token))) != "revoked" for token in evidence.revoked),
            "accepted twice": sum(reason(http.post(**request)) != "replayed" for request in evidence.once),
            "broken keys": _broken(http, stage, evidence),
        }
    lines = set(_decisions(stage.folder / "ledger"))
    return counts | {
        "tokens without a line": sum(decision not in lines for decision, _ in evidence.tokens),
        "ledger damage": asyncio.run(_damage(stage)),
    }


def _broken(http: httpx.Client, stage: Stage, evidence: Evidence) -> int:
    """Tokens that the published keys do not verify."""
    keys = KeySet.import_key_set(http.get(f"{stage.url}/.well-known/jwks.json").json())
    broken = 0
    for _, token in evidence.tokens:
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
    from cambist.store import Namespaced

    async with Sts(parse(stage.settings)).only_store() as store:
        kept = await Checkpoints(Namespaced(store, "plugin/audit-log"), settings.owner).all()
    return int(Ledger(settings.directory, Keyring(settings.kek, settings.former_keks), settings.owner, kept).verified().damaged)
