"""Reading segments: forwards line by line, or backwards for what is asked for. It takes time: call it in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from .directory import segments_in
from .names import SegmentName
from .sealing import MAX_SEALED, ChainKey, Keyring, Sealed

BLOCK = 65_536


class Altered(Exception):
    """A line that is asked for was not written by this service, or was changed since."""


def found(directory: Path, keyring: Keyring, decision_id: str) -> Mapping[str, Any] | None:
    """The newest line of a decision, None when there is none. Memory is bounded, time is not. Raises Altered, OSError."""
    needle = decision_id.encode(errors="surrogatepass")
    for name in newest_first(directory):
        try:
            with (directory / str(name)).open("rb") as file:
                if (document := _in_segment(file, name, keyring, needle, decision_id)) is not None:
                    return document
        except FileNotFoundError:
            continue  # retired meanwhile
    return None


def _in_segment(file: BinaryIO, name: SegmentName, keyring: Keyring, needle: bytes, decision_id: str) -> Mapping[str, Any] | None:
    lines = backwards(file)
    for line in lines:
        # Most lines are passed over unparsed; a stranger can have an id in a text, so its being there proves nothing.
        if needle in line and (read := document(line)).get("decision_id") == decision_id:
            _prove(line, next(lines, b""), key_of(file, name, keyring), name)
            return read
    return None


def _prove(line: bytes, before: bytes, key: ChainKey | None, name: SegmentName) -> None:
    """A line is genuine when it follows the one above it; forging either needs the key."""
    told, previous = Sealed.parse(line), Sealed.parse(before)
    if key is None:
        raise Altered(f"{name} was written under another KEK, or its header was altered")
    if told is None or previous is None or not told.follows(previous.end.mac, key.mac):
        raise Altered(f"the line of this decision in {name}, or the one before it, was altered")


def key_of(file: BinaryIO, name: SegmentName, keyring: Keyring) -> ChainKey | None:
    """The keys of a segment, by what its header says of them."""
    file.seek(0)
    return keyring.of(name.chain, document(file.readline(MAX_SEALED)).get("check"))


def newest_first(directory: Path) -> list[SegmentName]:
    """The segments by when they were last written, as far as the file system knows: for order, never for judgement. Raises OSError."""
    times = []
    for name in segments_in(directory):
        try:
            times.append(((directory / str(name)).stat().st_mtime_ns, name))
        except FileNotFoundError:
            continue
    return [name for _, name in sorted(times, reverse=True)]


def backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines, the last first; first of all what stands after the last of them, which a process did not finish."""
    end, rest = file.seek(0, os.SEEK_END), b""
    while end > 0:
        begin = max(end - BLOCK, 0)
        file.seek(begin)
        first, *lines = (file.read(end - begin) + rest).split(b"\n")
        yield from reversed(lines)
        # What is longer than any line of ours is none, and must not fill the memory.
        end, rest = begin, first if len(first) <= MAX_SEALED else b""
    yield rest


def forwards(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The lines within the first `size` bytes, each with its end; the last has none when it was not finished."""
    while size > 0 and (line := file.readline(min(size, MAX_SEALED + 1))):
        size -= len(line)
        yield line


def document(line: bytes) -> Mapping[str, Any]:
    """A line that was cut off, or that is no line of ours, is as one without members."""
    try:
        read = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
