"""What keeps, as the story sees it: every fault has the name of the plugin, and what comes back is checked like any input."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from joserfc.jws import JWSRegistry

from .audit import DONE, Observer, Record
from .clock import within
from .errors import DeadlineExceeded, PluginFault
from .fence import fenced, is_its_own
from .jwk import PRIVATE, KeySet
from .keys import KeyStore, Rotation, SigningKey
from .store import Mark, Store
from .value import Value, replace

PATIENCE = 5.0
"""How long one observer may take for one record, in seconds."""


@dataclass(frozen=True, slots=True)
class KeptStore:
    """The store that was selected."""

    plugin: str
    store: Store

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        with fenced(self.plugin):
            taken = await self.store.claim(marks)
        if taken is not None and type(taken) is not Mark:
            raise PluginFault(self.plugin, "its claim answered neither a mark nor None")
        return taken

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        with fenced(self.plugin):
            found = await self.store.get_many(keys)
            return {key: found[key] for key in keys if key in found}

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        with fenced(self.plugin):
            await self.store.put(key, value, ttl=ttl)

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        with fenced(self.plugin):
            return await self.store.swap(key, expected, value, ttl=ttl) is True

    async def count(self, key: str, *, ttl: float) -> int:
        with fenced(self.plugin):
            return int(await self.store.count(key, ttl=ttl))

    async def delete(self, key: str) -> None:
        with fenced(self.plugin):
            await self.store.delete(key)

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        with fenced(self.plugin):
            async for pair in self.store.scan(prefix):
                yield pair


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """The key store that was selected. Each key's first signature is verified with what is published of it."""

    plugin: str
    keys: KeyStore
    proved: set[tuple[str, str]] = field(default_factory=set)

    async def signing(self, zone_id: str) -> SigningKey:
        with fenced(self.plugin):
            key: Any = await self.keys.signing(zone_id)
            # What isinstance asks of a Protocol, but a hundred times faster: this is done for every token.
            if not (callable(getattr(key, "sign", None)) and isinstance(key.kid, str) and isinstance(key.alg, str)):
                raise PluginFault(self.plugin, "what it offers to sign with is no signing key")
            return _KeptKey(key.kid, key.alg, key, self, zone_id)

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        with fenced(self.plugin):
            keys = tuple(dict(key) for key in await self.keys.published(zone_id))
        if any(PRIVATE & key.keys() for key in keys):
            raise PluginFault(self.plugin, "it would publish a private key")
        return keys

    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        with fenced(self.plugin):
            return await self.keys.rotate(zone_id, compromised=compromised)


class _KeptKey(Value, frozen=True):
    """One key at work. A key that does not fit what is published would issue tokens that nobody can verify."""

    kid: str
    alg: str
    key: SigningKey
    kept: KeptKeys
    zone_id: str

    async def sign(self, message: bytes) -> bytes:
        with fenced(self.kept.plugin):
            signature = await self.key.sign(message)
            if type(signature) is not bytes or not signature:
                raise PluginFault(self.kept.plugin, "its key answered no signature")
            if (self.zone_id, self.kid) not in self.kept.proved:
                await self._prove(message, signature)
            return signature

    async def _prove(self, message: bytes, signature: bytes) -> None:
        published = KeySet.of({"keys": list(await self.kept.published(self.zone_id))}).fitting(self.kid, self.alg)
        algorithm = JWSRegistry.algorithms.get("Ed25519" if self.alg == "EdDSA" else self.alg)
        if published is None or algorithm is None or not algorithm.verify(message, signature, published.key):
            raise PluginFault(self.kept.plugin, "its key does not sign as the one it publishes")
        self.kept.proved.add((self.zone_id, self.kid))


@dataclass(frozen=True, slots=True)
class KeptObserver:
    """An observer. One that cannot say whether its word is needed is taken to be: nothing is issued without it."""

    plugin: str
    observer: Observer

    @property
    def required(self) -> bool:
        try:
            return bool(self.observer.required)
        except BaseException as error:
            if not is_its_own(error):
                raise
            return True

    def observe(self, record: Record) -> Awaitable[None]:
        began = monotonic()
        with fenced(self.plugin):
            rest = self.observer.observe(replace(record))  # a record of its own: what it does to it changes nobody else's
        if rest is not DONE:
            return self._waited(rest)
        if monotonic() - began > PATIENCE:  # it held the loop meanwhile
            raise DeadlineExceeded(what=f"plugin {self.plugin}", seconds=PATIENCE, plugin=self.plugin)
        return rest

    async def _waited(self, rest: Awaitable[None]) -> None:
        await within(PATIENCE, f"plugin {self.plugin}", self._fenced(rest))

    async def _fenced(self, rest: Awaitable[None]) -> None:
        with fenced(self.plugin):
            await rest
