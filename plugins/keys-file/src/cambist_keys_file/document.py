"""A ring as the bytes of a file, and back: only the very bytes that were written are read."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from .ring import Ring
from .sealing import Sealing

FORMAT = "cambist keys-file"
VERSION = 1


class Unreadable(Exception):
    """The bytes are not a key file that can be used, for a reason that an operator can be told."""


class OtherKek(Unreadable):
    """The file was written under another KEK."""


@dataclass(frozen=True)
class Label:
    """What every version of the format begins with."""

    format: str
    version: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """Version 1. `check` tells whether the KEK is the right one; `seal` covers everything else."""

    format: str
    version: int
    check: bytes
    ring: Ring
    seal: bytes


def written(ring: Ring, sealing: Sealing) -> bytes:
    """The bytes of a key file."""
    unsealed = Document(format=FORMAT, version=VERSION, check=sealing.check, ring=ring, seal=b"")
    return _encoded(replace(unsealed, seal=sealing.seal(_encoded(unsealed))))


def read(raw: bytes, zone: str, keks: Sequence[bytes]) -> tuple[Ring, Sealing]:
    """The ring of a zone, and what opens its keys, by the first of the KEKs that fits.

    Raises Unreadable with a sentence, OtherKek in its kind.
    """
    document = _decoded(raw)
    sealings = (Sealing(kek, document.ring.salt) for kek in keks)
    sealing = next((found for found in sealings if hmac.compare_digest(document.check, found.check)), None)
    if sealing is None:
        raise OtherKek("it was written under another KEK")
    if not hmac.compare_digest(document.seal, sealing.seal(_encoded(replace(document, seal=b"")))):
        raise Unreadable("it was altered: its seal does not hold")
    # A genuine file in the place of another would give one zone the keys of the other.
    if document.ring.zone != zone:
        raise Unreadable(f"it is the file of zone {document.ring.zone}")
    return document.ring, sealing


def _decoded(raw: bytes) -> Document:
    try:
        label = msgspec.json.decode(raw, type=Label)
        if label.format == FORMAT and label.version > VERSION:
            raise Unreadable(f"it has version {label.version} of the format, and this program knows no version above {VERSION}")
        document = msgspec.json.decode(raw, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("it is half-written or was altered") from error
    # One ring has one spelling: no member, space or number can be written in another way.
    if (document.format, document.version) != (FORMAT, VERSION) or raw != _encoded(document):
        raise Unreadable("it is half-written or was altered")
    return document


def _encoded(document: Document) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
