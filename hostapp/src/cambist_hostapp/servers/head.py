"""The head of a request, read more strictly than RFC 9112 asks: what two readers could read in two ways is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from cambist.errors import BodyTooLarge, FramingUnsound, HeadTooLarge, MethodNotAllowed
from cambist.limits import Limits
from cambist.value import Value

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"})
"""Names are case-sensitive (RFC 9110 section 9.1): `post` is none of them."""

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
# No space before the colon, no line that goes on (RFC 9112 section 5), no NUL, CR or LF in a value (RFC 9110 section 5.5).
_FIELD = _NAME + rb":[\t\x20-\x7e\x80-\xff]*+\r\n"
_HEAD = re.compile(rb"(" + _NAME + rb") (\S++) HTTP/1\.([01])\r\n((?:" + _FIELD + rb")*+)\r\n")
LONE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")
_TARGET = re.compile(rb"(?:(?i:https?)://[A-Za-z0-9\-._~%\[\]:]++)?(/[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*+)?")
_HOST = re.compile(rb"[A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]*")
_OURS = re.compile(rb"\n(content-length|transfer-encoding|host|expect|connection|upgrade|http2-settings):([^\r]*+)")
"""What is read of a head, in small letters: of none of it does the case matter."""
_BETWEEN_US = (b"connection:", b"upgrade:", b"http2-settings:", b"expect:", b"transfer-encoding:", b"te:", b"trailer:", b"keep-alive:")
_NOT_HANDED_ON = frozenset({b"upgrade", b"http2-settings"})
LONELY = "a line of the head ends in a lone CR or LF"
_LENGTH = re.compile(rb"[0-9]{1,10}")


class Head(Value, frozen=True):
    """What the head of a request says about how it is to be read."""

    UNSEEN = frozenset({"target", "raw"})

    method: bytes
    target: bytes
    version: bytes
    raw: bytes
    length: int
    chunked: bool
    waits: bool
    """The client waits for 100 before it sends the body."""
    closes: bool
    plain: bool
    """It can be handed on as it came."""

    def handed(self, body: bytes, last: bool) -> bytes:
        if self.plain and not last:
            return self.raw + body
        _, *fields, _ = self.raw.splitlines(keepends=True)
        kept = b"".join(line for line in fields if not line.lower().startswith(_BETWEEN_US))
        length = b"content-length: %d\r\n" % len(body) if self.chunked else b""
        close = b"connection: close\r\n" if last or self.closes else b""
        return b"%b %b HTTP/1.%b\r\n%b%b%b\r\n%b" % (self.method, self.target, self.version, kept, length, close, body)


def read(raw: bytes, limits: Limits, max_body: int) -> Head:
    """One head. Raises Malformed."""
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise FramingUnsound(_why(raw))
    method, target, version, fields = found.groups()
    if fields.count(b"\n") > limits.max_headers:
        raise HeadTooLarge("there are too many headers", expected=limits.max_headers)
    ours: dict[bytes, list[bytes]] = {}
    for name, value in _OURS.findall(raw.lower()):
        ours.setdefault(name, []).append(value.strip(b" \t"))
    length, chunked = _length(ours, version)
    if method not in METHODS:
        raise MethodNotAllowed(seen=method[:20].decode("ascii"))
    _host(ours.get(b"host", ()), version)
    waits = _expects(ours.get(b"expect", ()))
    origin = _origin(target)
    if length > max_body:
        raise BodyTooLarge(expected=max_body)
    tokens = {token.strip(b" \t") for value in ours.get(b"connection", ()) for token in value.split(b",")}
    odd = chunked or waits or origin != target or b"upgrade" in tokens or not _NOT_HANDED_ON.isdisjoint(ours)
    return Head(method, origin, version, raw, length, chunked, waits, b"close" in tokens, not odd)


def path_of(raw: bytes) -> str:
    """The path that a head asks for, as far as it can be told: it chooses the shape of the refusal, and nothing else."""
    found = re.match(rb"[A-Za-z]+ (/[!-~]*?)(?:[? \r\n]|$)", raw)
    return found[1].decode("ascii") if found else ""


def _length(ours: Mapping[bytes, Sequence[bytes]], version: bytes) -> tuple[int, bool]:
    """RFC 9112 section 6: how long the body is, said in exactly one way."""
    lengths, codings = ours.get(b"content-length", ()), ours.get(b"transfer-encoding", ())
    if lengths and codings:
        raise FramingUnsound("Content-Length and Transfer-Encoding exclude each other")
    if len(lengths) > 1 or len(codings) > 1:
        raise FramingUnsound("the length of the body is said twice")
    if codings:
        if codings[0] != b"chunked" or version == b"0":
            raise FramingUnsound("Transfer-Encoding must be chunked, and HTTP/1.1", expected="chunked")
        return 0, True
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise FramingUnsound("Content-Length must be a number")
    return int(lengths[0]) if lengths else 0, False


def _host(hosts: Sequence[bytes], version: bytes) -> None:
    """RFC 9112 section 3.2. Nothing is decided by it, but who is before us may decide by it."""
    if len(hosts) > 1 or (not hosts and version == b"1") or not all(map(_HOST.fullmatch, hosts)):
        raise FramingUnsound("HTTP/1.1 has exactly one Host, which is a host")


def _expects(expected: Sequence[bytes]) -> bool:
    if any(value != b"100-continue" for value in expected):
        raise FramingUnsound("nothing but 100-continue can be expected", expected="100-continue")
    return bool(expected)


def _origin(target: bytes) -> bytes:
    """The target as path and query; a server must also take the form that proxies are sent (RFC 9112 section 3.2.2)."""
    found = _TARGET.fullmatch(target)
    if found is None:
        raise FramingUnsound("the target must be a path, with or without a query")
    return found[1] or b"/"


def _why(raw: bytes) -> str:
    return next((said for said, found in _whys(raw) if found), "the head cannot be read as HTTP/1.1")


def _whys(raw: bytes) -> Iterator[tuple[str, bool]]:
    first, _, rest = raw.partition(b"\r\n")
    yield LONELY, bool(LONE.search(raw))
    yield "only HTTP/1.1 and HTTP/1.0 are served here", bool(re.search(rb" HTTP/(?!1\.[01]$)", first))
    yield "the request line is not method, target and version", not re.fullmatch(rb"\S+ \S+ HTTP/1\.[01]", first)
    yield "a line of the head must not go on in the next", bool(re.search(rb"(^|\n)[ \t]", rest))
    yield "no space may stand before the colon of a header", bool(re.search(rb"(^|\n)[^:\n]*[ \t]:", rest))
    yield "a header holds a control character", bool(re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest))
