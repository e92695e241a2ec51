"""What may happen once: whoever inserts the row has it, and nobody else."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

from cambist import Mark

from .transaction import writing

# The unique index decides, not a look before: between a look and a write there is room for another process (abuse case R2).
# Nor is it asked until when: the clock may have leapt since somebody looked at the credential; the sweep takes what is over.
_CLAIM = "INSERT INTO marks (key, expires_at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"


class _Taken(Exception):
    """Somebody was here before."""


def claim(connection: sqlite3.Connection, *, wanted: Sequence[Mark]) -> Mark | None:
    """Set all marks or none; returns one that was set before, if any. Raises sqlite3.Error."""
    try:
        with writing(connection):
            for key, mark in {_key(mark): mark for mark in wanted}.items():
                if connection.execute(_CLAIM, (key, mark.expires_at)).rowcount == 0:
                    raise _Taken(mark)
    except _Taken as taken:
        found: Mark = taken.args[0]
        return found
    return None


def _key(mark: Mark) -> bytes:
    """32 bytes, whatever a stranger put into the mark (R7); the length keeps kind and key apart."""
    kind, key = mark.kind.encode(errors="surrogatepass"), mark.key.encode(errors="surrogatepass")
    return hashlib.sha256(len(kind).to_bytes(4, "big") + kind + key).digest()
