"""Where each chain ended a moment ago, kept in the store: what was cut off before that shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cambist import Store

from .chain import FORMAT, Head
from .sealing import End

PREFIX = "head/"


@dataclass(frozen=True)
class Kept:
    """As the store has it."""

    v: int
    segment: int
    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The end of a chain of a node."""

    node: str
    head: Head


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Those of one node; it reads those of all. Every method raises what the store raises."""

    store: Store
    node: str

    async def keep(self, chain: str, head: Head) -> None:
        kept = Kept(v=FORMAT, segment=head.segment, seq=head.end.seq, mac=head.end.mac.decode())
        await self.store.put(self._key(chain), msgspec.json.encode(kept))

    async def forget(self, chain: str) -> None:
        await self.store.delete(self._key(chain))

    async def all(self) -> Mapping[str, Checkpoint]:
        """By chain. A value that cannot be read is one that no chain can fit: it was altered."""
        found = {}
        async for key, value in self.store.scan(PREFIX):
            node, _, chain = key.removeprefix(PREFIX).partition("/")
            found[chain] = Checkpoint(node, _read(value))
        return found

    def _key(self, chain: str) -> str:
        return f"{PREFIX}{self.node}/{chain}"


def _read(value: bytes) -> Head:
    try:
        kept = msgspec.json.decode(value, type=Kept)
        return Head(kept.segment, End(kept.seq, kept.mac.encode()))
    except (msgspec.MsgspecError, UnicodeError):
        return Head(1 << 60, End(1 << 60, b""))
