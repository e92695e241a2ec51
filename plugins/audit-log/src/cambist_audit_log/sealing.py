"""What makes a line the one that follows another: its number, and a MAC over it and over the MAC before it."""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cambist import Secret
from cambist.kek import derived, key_material

from .line import MAX_LINE

PURPOSE = "cambist audit-log 1"
MAC_SIZE = 43
"""Characters of 32 bytes in base64url. A MAC is compared as text: one value must not have two spellings."""

_TAIL = len(b',"mac":""}') + MAC_SIZE
MAX_SEALED = MAX_LINE + _TAIL + 32
"""Bytes. A line that is longer is none of ours."""

_SEQ = re.compile(rb'\{"seq":([1-9]\d{0,17}),"')
_MAC = re.compile(rb',"mac":"([A-Za-z0-9_-]{43})"\}')


class End(NamedTuple):
    """Where a chain ends: the number of its last line, and its MAC."""

    seq: int = 0
    mac: bytes = b""


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key, with the key's part done once: a line then costs 2 µs, with the library's own 7."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """The key has at most 64 bytes, as all that are derived here."""
        block = key.ljust(64, b"\0")
        self._inner, self._outer = hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))

    def text(self, before: bytes, line: bytes) -> bytes:
        """Of a line, and of the MAC before it."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(before + line)
        outer.update(inner.digest())
        return b2a_base64(outer.digest(), newline=False).translate(_URLSAFE)[:MAC_SIZE]


_URLSAFE = bytes.maketrans(b"+/", b"-_")
_INNER, _OUTER = bytes(x ^ 0x36 for x in range(256)), bytes(x ^ 0x5C for x in range(256))


@dataclass(frozen=True, slots=True)
class ChainKey:
    """The keys of one chain. `check` tells one KEK from another, and tells nothing about it."""

    check: str
    mac: Mac = field(repr=False)

    @classmethod
    def of(cls, material: bytes, chain: str) -> ChainKey:
        salt = chain.encode()
        return cls(
            derived(material, salt=salt, use=f"{PURPOSE} check", size=8).hex(), Mac(derived(material, salt=salt, use=f"{PURPOSE} mac"))
        )


class Keyring:
    """The KEKs that chains were written under, the one in use first."""

    def __init__(self, kek: Secret, former: Sequence[Secret] = ()) -> None:
        self._materials = [key_material(one) for one in (kek, *former)]

    def new(self, chain: str) -> ChainKey:
        return ChainKey.of(self._materials[0], chain)

    def of(self, chain: str, check: object) -> ChainKey | None:
        """The keys of a chain that was written under one of the KEKs."""
        keys = (ChainKey.of(material, chain) for material in self._materials)
        return next((key for key in keys if key.check == check), None)


def sealed(body: bytes, end: End, key: Mac) -> tuple[bytes, End]:
    """A line of JSON, without its end, as the one after `end`; and where the chain ends with it."""
    seq = end.seq + 1
    numbered = b'{"seq":%d,' % seq + body[1:]
    mac = key.text(end.mac, numbered)
    return numbered[:-1] + b',"mac":"' + mac + b'"}', End(seq, mac)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A line that was read: what it says of itself, not yet believed."""

    end: End
    numbered: bytes

    @classmethod
    def parse(cls, line: bytes) -> Sealed | None:
        seq, mac = _SEQ.match(line), _MAC.fullmatch(line, max(len(line) - _TAIL, 0))
        if seq is None or mac is None:
            return None
        return cls(End(int(seq[1]), mac[1]), line[:-_TAIL] + b"}")

    def follows(self, before: bytes, key: Mac) -> bool:
        """Whether the holder of the key wrote this line after the one with the MAC `before`."""
        return hmac.compare_digest(self.end.mac, self.computed(before, key))

    def computed(self, before: bytes, key: Mac) -> bytes:
        return key.text(before, self.numbered)
