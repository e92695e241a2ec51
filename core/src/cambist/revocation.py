"""What is accepted no more, in every worker within half a second, until it is lifted or forgotten.

The store is the truth. Each process keeps a copy and asks at most twice a second whether it is still the latest, so that
an exchange costs no round trip. When that cannot be known, nothing is accepted (R10): a store that is down revokes all.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

import msgspec

from .errors import Unavailable
from .store import Namespaced, Store

FRESH = 0.5
"""Seconds for which the copy is believed without asking: half of the second in which a revocation must hold everywhere."""

EVERYWHERE = ""
"""The zone of what is revoked in all zones: issuers and keys are trusted, or not, by the whole service."""


class Kind(StrEnum):
    """What can be revoked."""

    TOKEN = "token"
    TRANSACTION = "transaction"
    SUBJECT = "subject"
    APPLICATION = "application"
    ISSUER = "issuer"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a request can name. `parts` are an issuer and an id for tokens and keys, else the one name it has."""

    kind: Kind
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One thing that is accepted no more in a zone, or EVERYWHERE. `at` is in seconds since 1970; `reason` is for people."""

    zone: str
    kind: Kind
    parts: tuple[str, ...]
    at: float
    reason: str = ""

    @property
    def key(self) -> str:
        """Where it stands in the store: of one size, whatever it names."""
        named = msgspec.json.encode([self.zone, self.kind, self.parts])
        return f"of/{hashlib.sha256(named).hexdigest()}"


class Revocations:
    """Everything that is revoked, as far as this process knows, and it knows it well enough or says that it does not."""

    def __init__(self, store: Store) -> None:
        self._store = Namespaced(store, "revoked")
        self._known: Mapping[tuple[str, Named], Revocation] = {}
        self._generation: bytes | None = None
        self._asked = -FRESH
        self._turn = asyncio.Lock()

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────

    async def any(self) -> bool:
        """Whether anything at all is revoked. Raises Unavailable when it cannot be known."""
        if monotonic() - self._asked >= FRESH:
            await self._ask()
        return bool(self._known)

    def among(self, zone_id: str, named: Iterable[Named]) -> Revocation | None:
        """The first of these that is revoked in a zone, or everywhere, by what `any` has learnt."""
        for name in named:
            if (found := self._known.get((zone_id, name)) or self._known.get((EVERYWHERE, name))) is not None:
                return found
        return None

    # ── administering ───────────────────────────────────────────────────────────────────────────────────

    async def revoke(self, revocation: Revocation, *, ttl: float | None = None) -> None:
        """Accept it no more. When this returns, it survives a power cut, and holds in every process within FRESH seconds.

        `ttl`, in seconds, forgets it: longer than what it names could be accepted again, whatever the clock does meanwhile.
        """
        await self._store.put(revocation.key, msgspec.json.encode(asdict(revocation)), ttl=ttl)
        await self._changed()

    async def lift(self, revocation: Revocation) -> None:
        """Accept it again."""
        await self._store.delete(revocation.key)
        await self._changed()

    async def all(self) -> Collection[Revocation]:
        """Everything that is revoked now, the latest first. Raises Unavailable."""
        await self._ask()
        return sorted(self._known.values(), key=lambda revocation: -revocation.at)

    # ── the copy ────────────────────────────────────────────────────────────────────────────────────────

    async def _changed(self) -> None:
        await self._store.put("generation", secrets.token_bytes(16))
        self._asked = -FRESH

    async def _ask(self) -> None:
        """One asks, and all who wait have the answer."""
        before = self._asked
        async with self._turn:
            if self._asked != before:
                return
            began = monotonic()
            generation = (await self._store.get_many(["generation"])).get("generation")
            if generation != self._generation:
                self._known = {(r.zone, Named(r.kind, r.parts)): r async for r in self._scanned()}
                self._generation = generation
            self._asked = began

    async def _scanned(self) -> Any:
        async for _, value in self._store.scan("of/"):
            try:
                yield msgspec.json.decode(value, type=Revocation)
            except msgspec.MsgspecError as error:
                # One that cannot be read may name anything, so it stands for everything.
                raise Unavailable(what="the revocations", cause="one of them cannot be read") from error
