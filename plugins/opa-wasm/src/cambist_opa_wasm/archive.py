"""Reads an OPA bundle in memory: three members by name, bounded, and nothing is ever written to disk."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Mapping

from .broken import Broken

MAX_UNPACKED = 64 * 1024 * 1024
"""The largest archive after decompression, in bytes."""
MAX_READS = 10_000
WANTED = ("policy.wasm", "data.json", ".manifest")
_DATA = ("data.json", "data.yaml", "data.yml")


def members(packed: bytes) -> Mapping[str, bytes]:
    """The wanted members that are there, by name. Raises Broken."""
    try:
        with tarfile.open(fileobj=_Bounded(_unpacked(packed)), mode="r:") as archive:
            return _wanted(archive)
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError) as error:
        raise Broken(f"not a readable tar archive: {error}") from error


def _unpacked(packed: bytes) -> bytes:
    """The archive behind gzip: all of it, no more than is allowed, nothing behind it."""
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = stream.decompress(packed, MAX_UNPACKED + 1)
    except zlib.error as error:
        raise Broken(f"not a readable gzip file: {error}") from error
    if len(unpacked) > MAX_UNPACKED:
        raise Broken(f"larger than {MAX_UNPACKED} bytes when unpacked")
    if not stream.eof:
        raise Broken("ends too early; it may be half-written")
    if stream.unused_data:
        raise Broken("something stands behind the archive")
    return unpacked


def _wanted(archive: tarfile.TarFile) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for member in archive:
        name = member.name.removeprefix("./").lstrip("/")
        if name in WANTED:
            # Two members with one name are how one reader is shown other rules than the next.
            if name in found:
                raise Broken(f"holds {name} twice")
            found[name] = _content(archive, member)
        elif name == ".signatures.json":
            raise Broken("is signed, and signatures are not verified here: verify where it is fetched, and hand over an unsigned one")
        elif name.rpartition("/")[2] in _DATA:
            # Data that are left out can allow what they forbade: `not data.blocked[x]`.
            raise Broken(f"holds data in {name}; `opa build` joins all data in /data.json")
    return found


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isreg() or member.issparse():
        raise Broken(f"{member.name} is not a plain file")
    stream = archive.extractfile(member)
    content = stream.read(MAX_UNPACKED + 1) if stream else b""
    if len(content) != member.size:
        raise Broken(f"{member.name} is cut off")
    return content


class _Bounded(io.BytesIO):
    """A file that can be read so many times: a header with a negative size makes tarfile loop for ever (CVE-2025-8194)."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise tarfile.ReadError("more members than a bundle has")
        return super().read(size)
