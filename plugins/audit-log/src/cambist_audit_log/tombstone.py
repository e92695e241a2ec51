"""Which segments of a chain were deleted by the service itself: signed, so that nobody else can say so."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from . import names
from .chain import Head
from .directory import inspect, settle
from .line import moment
from .reading import document
from .sealing import ChainKey, End, Keyring, Sealed, sealed

DOMAIN = b"retired"
"""Stands where the MAC of the line before stands in a chain, and is no MAC: a tombstone can never be taken for a line."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Up to which segment of a chain all are retired, and how that one ended."""

    chain: str
    last: Head
    at: str = ""

    def write(self, directory: Path, key: ChainKey, now: float) -> None:
        """Replace the one that is there, as a whole; when it returns it survives a power cut. Raises OSError."""
        told = {"v": 1, "event": "retired", "at": moment(now), "chain": self.chain, "check": key.check, "upto": self.last.segment}
        body = msgspec.json.encode({**told, "line": self.last.end.seq, "before": self.last.end.mac.decode()})
        line, _ = sealed(body, End(self.last.end.seq, DOMAIN), key.mac)
        descriptor, made = tempfile.mkstemp(dir=directory, prefix=".retired-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, inspect(directory))
                file.write(line + b"\n")
                file.flush()
                os.fsync(descriptor)
            Path(made).replace(directory / names.tombstone(self.chain))
        except BaseException:
            Path(made).unlink()
            raise
        settle(directory)

    @classmethod
    def read(cls, directory: Path, chain: str, keyring: Keyring) -> Tombstone | None:
        """None when there is none that we wrote for this chain. Raises OSError."""
        try:
            line = (directory / names.tombstone(chain)).read_bytes().removesuffix(b"\n")
        except FileNotFoundError:
            return None
        told, line_of = document(line), Sealed.parse(line)
        key = keyring.of(chain, told.get("check"))
        if key is None or line_of is None or told.get("chain") != chain or not line_of.follows(DOMAIN, key.mac):
            return None
        return cls(chain, Head(int(told["upto"]), End(int(told["line"]), str(told["before"]).encode())), str(told["at"]))
