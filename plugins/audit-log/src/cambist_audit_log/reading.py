"""Reading a log backwards, for the one decision that is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from .line import MAX_LINE

BLOCK = 65_536


def found(path: Path, decision_id: str) -> Mapping[str, Any] | None:
    """The newest line of a decision, None when there is none. Memory is bounded, time is not: call it in a thread. Raises OSError."""
    needle = decision_id.encode(errors="surrogatepass")
    with path.open("rb") as file:
        for line in _backwards(file):
            # Most lines are passed over unparsed; a stranger can have an id in a text, so its being there proves nothing.
            if needle in line and (document := _document(line)).get("decision_id") == decision_id:
                return document
    return None


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines, the last first."""
    end, rest = file.seek(0, os.SEEK_END), b""
    while end > 0:
        begin = max(end - BLOCK, 0)
        file.seek(begin)
        first, *lines = (file.read(end - begin) + rest).split(b"\n")
        yield from reversed(lines)
        # What is longer than any line of ours is none, and must not fill the memory.
        end, rest = begin, first if len(first) <= MAX_LINE else b""
    yield rest


def _document(line: bytes) -> Mapping[str, Any]:
    """A line that was cut off, or that is no line of ours, is as one without members."""
    try:
        document = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
