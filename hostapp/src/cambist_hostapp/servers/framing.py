"""Requests, cut out of a stream of bytes more strictly than RFC 9112 asks, so that nobody before or behind us can read them otherwise.

The server behind sees one complete request at a time, with one `Content-Length` and nothing that is spoken between two neighbours:
request smuggling needs two readings of the same bytes, and these have one.
"""

from __future__ import annotations

import re
from enum import Enum

from cambist.errors import BodyTooLarge, FramingUnsound, HeadTooLarge
from cambist.limits import Limits
from cambist.value import Value

from .head import LONE, LONELY, Head, read

MAX_CHUNKS = 4096
"""Pieces of one body; a body in single bytes would cost more to read than to send."""

REMEMBERED = 2048
"""Bytes of a head that is remembered for the next one: a connection that stands idle costs no more."""

_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}")
_LONGEST_CHUNK_LINE = 10


class Part(Enum):
    """What the next bytes belong to."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class Request(Value, frozen=True):
    """One request, whole. `last`: no other is read on this connection."""

    UNSEEN = frozenset({"body"})

    head: Head
    body: bytes
    last: bool

    def handed(self) -> bytes:
        """As a server behind may see it."""
        return self.head.handed(self.body, self.last)


class Framing:
    """The requests of one connection, in order. Whatever it raises ends the connection: what follows has no sure beginning."""

    def __init__(self, limits: Limits, max_body: int) -> None:
        self._limits, self._max_body = limits, max_body
        self._heard = bytearray()
        self._scanned = 0
        self._chunks: tuple[bytearray, int] = (bytearray(), 0)
        self.head: Head | None = None
        self._known: Head | None = None
        self._raw = b""

    def __len__(self) -> int:
        return len(self._heard) + len(self._chunks[0])

    @property
    def part(self) -> Part:
        if self.head is not None:
            return Part.BODY
        return Part.HEAD if self._heard else Part.NOTHING

    @property
    def seen(self) -> bytes:
        """What is there of the head of this request, or its beginning."""
        return self._raw or bytes(self._heard[:2048])

    @property
    def waits(self) -> bool:
        """Whether the client holds the body back until it is told to go on (RFC 9110 section 10.1.1)."""
        return self.head is not None and self.head.waits and not self._heard

    def receive(self, heard: bytes) -> None:
        self._heard += heard

    def next(self, *, last: bool = False) -> Request | None:
        """The next request, if all of it is there; `last`: the connection is closed after it. Raises Malformed."""
        if self.head is None:
            self.head = self._read_head()
        if self.head is None or (body := self._body(self.head)) is None:
            return None
        request = Request(self.head, body, last)
        self.head, self._scanned, self._raw = None, 0, b""
        return request

    def _read_head(self) -> Head | None:
        if not self._heard:
            return None
        if self._heard.startswith(b"\r\n") and not self._scanned:
            del self._heard[:2]  # one empty line before a request is forgiven (RFC 9112 section 2.2)
        end = self._heard.find(b"\r\n\r\n", max(0, self._scanned - 3))
        checked = len(self._heard) if end < 0 else end + 4
        if checked > self._limits.max_head:
            raise HeadTooLarge(expected=self._limits.max_head)
        if end < 0:
            if LONE.search(self._heard, max(0, self._scanned - 1), checked):
                raise FramingUnsound(LONELY)
            self._scanned = max(1, checked)
            return None
        self._raw = bytes(self._heard[:checked])
        del self._heard[:checked]
        if self._known is not None and self._known.raw == self._raw:  # over one connection, most heads are the one before
            return self._known
        head = read(self._raw, self._limits, self._max_body)
        self._known = head if checked <= REMEMBERED else None
        return head

    def _body(self, head: Head) -> bytes | None:
        if head.chunked:
            return self._chunked()
        if len(self._heard) < head.length:
            return None
        body = bytes(self._heard[: head.length])
        del self._heard[: head.length]
        return body

    def _chunked(self) -> bytes | None:
        """RFC 9112 section 7.1, without extensions and trailers, which no client of ours sends and parsers disagree about."""
        body, count = self._chunks
        while (size := self._chunk_size()) is not None:
            line = self._heard.find(b"\n") + 1
            if len(self._heard) < line + size + 2:
                return None
            if self._heard[line + size : line + size + 2] != b"\r\n":
                raise FramingUnsound("a chunk does not end where it says" if size else "trailers are not read")
            body += self._heard[line : line + size]
            del self._heard[: line + size + 2]
            count += 1
            self._chunks = body, count
            if not size:
                self._chunks = bytearray(), 0
                return bytes(body)
            if count > MAX_CHUNKS:
                raise FramingUnsound("too many chunks", expected=MAX_CHUNKS)
        return None

    def _chunk_size(self) -> int | None:
        """What the next chunk says of itself; None until its first line is there."""
        end = self._heard.find(b"\r\n", 0, _LONGEST_CHUNK_LINE)
        line = bytes(self._heard[:end] if end >= 0 else self._heard[:_LONGEST_CHUNK_LINE].removesuffix(b"\r"))
        if (line or end == 0) and not _CHUNK.fullmatch(line):
            raise FramingUnsound("a chunk must say its size, and nothing else, in hexadecimal")
        if end < 0:
            if len(self._heard) >= _LONGEST_CHUNK_LINE:
                raise FramingUnsound("a chunk must say its size in a short line")
            return None
        size = int(line, 16)
        if size + len(self._chunks[0]) > self._max_body:
            raise BodyTooLarge(expected=self._max_body)
        return size
