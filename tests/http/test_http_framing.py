"""Requests cut out of bytes, without a server: however the bytes are cut, the same requests, and none that could be read otherwise."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist.errors import FramingUnsound, Malformed
from cambist.limits import Limits
from cambist_hostapp.servers.framing import REMEMBERED, Framing, Part, Request
from cambist_hostapp.servers.head import path_of, read

START = b"POST /oauth/2/token?a=b HTTP/1.1\r\n"
MAX_BODY = 1000


def cut(*pieces: bytes, last: bool = False) -> list[bytes]:
    framing, found = Framing(Limits(), MAX_BODY), []
    for piece in pieces:
        framing.receive(piece)
        while (request := framing.next(last=last)) is not None:
            found.append(request.handed())
    return found


def head(*lines: bytes) -> bytes:
    return START + b"Host: a\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_a_plain_request_is_handed_on_as_it_came() -> None:
    request = head(b"Content-Length: 3", b"X:  odd  spaces ") + b"abc"
    assert cut(request + request) == [request, request]


def test_a_chunked_body_is_handed_on_with_its_length() -> None:
    sent = head(b"Transfer-Encoding: chunked", b"X: y") + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert cut(sent) == [head(b"X: y", b"content-length: 3") + b"abc"]


def test_what_is_said_between_neighbours_is_not_handed_on() -> None:
    sent = head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAA", b"Expect: 100-continue", b"TE: trailers")
    assert cut(sent) == [head()]
    assert cut(head(b"Connection: close, upgrade")) == [head(b"connection: close")]


def test_the_absolute_form_is_handed_on_as_path() -> None:
    assert cut(b"GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n") == [b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n"]
    assert cut(b"GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n") == [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]


def test_the_last_request_says_that_it_is() -> None:
    assert cut(head(b"Connection: keep-alive"), last=True) == [head(b"connection: close")]


def test_a_head_like_the_one_before_is_read_alike_and_another_one_anew() -> None:
    plain, closing = head(b"Content-Length: 1"), head(b"Content-Length: 1", b"Connection: close")
    upgrading = head(b"Content-Length: 1", b"Upgrade: h2c")
    stream = plain + b"a" + plain + b"b" + upgrading + b"c" + upgrading + b"d" + plain + b"e" + closing + b"f"
    assert cut(stream) == [plain + b"a", plain + b"b", plain + b"c", plain + b"d", plain + b"e", closing + b"f"]
    long = head(b"X: " + b"y" * REMEMBERED)
    assert cut(long + long + plain + b"a") == [long, long, plain + b"a"]
    framing = Framing(Limits(), MAX_BODY)
    framing.receive(plain + b"a" + head(b"Content-Length: 1", b"Content-Length: 1") + b"b")
    assert framing.next() == Request(read(plain, Limits(), MAX_BODY), b"a", False)
    with pytest.raises(FramingUnsound, match="said twice"):
        framing.next()


@pytest.mark.parametrize("lonely", [b"X: y\nZ: z", b"X: y\rZ: z", b"X: y\r\r"])
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["that goes on", "that is whole"])
def test_a_lone_line_end_is_refused_in_a_head(lonely: bytes, end: bytes) -> None:
    with pytest.raises(FramingUnsound, match="lone CR or LF"):
        cut(START + b"Host: a\r\n" + lonely + b"x" + end)


def test_one_empty_line_before_each_request_is_forgiven() -> None:
    assert cut(b"\r\n" + head(), b"\r\n", head()) == [head(), head()]
    with pytest.raises(FramingUnsound):
        cut(b"\r\n\r\n" + head())


def test_it_says_what_the_next_bytes_belong_to() -> None:
    framing = Framing(Limits(), MAX_BODY)
    assert (framing.part, len(framing)) == (Part.NOTHING, 0)
    framing.receive(START)
    assert (framing.next(), framing.part, len(framing)) == (None, Part.HEAD, len(START))
    framing.receive(b"Host: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert (framing.next(), framing.part, framing.waits) == (None, Part.BODY, True)
    framing.receive(b"a")
    assert framing.waits is False
    framing.receive(b"b")
    assert framing.next() is not None
    assert (framing.part, len(framing)) == (Part.NOTHING, 0)


@pytest.mark.parametrize(
    ("seen", "path"),
    [
        (START, "/oauth/2/token"),
        (b"post /v1/exchange/token", "/v1/exchange/token"),
        (b"GET /health\r\n", "/health"),
        (b"GET http://a/b", ""),
        (b"", ""),
        (b"\x16\x03", ""),
        (b"GET /\xff", ""),
    ],
)
def test_the_path_is_told_only_where_it_can_be(seen: bytes, path: str) -> None:
    assert path_of(seen) == path


NAMES = st.from_regex(rb"\AX-[A-Za-z0-9-]{1,12}\Z")
VALUES = st.from_regex(rb"\A[!-~\x80-\xff]([ \t!-~\x80-\xff]{0,30}[!-~\x80-\xff])?\Z")
BODIES = st.binary(max_size=300)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The bytes of a sound request, and its body."""
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=5))
    lines = [name + b": " + value for name, value in fields]
    body = draw(BODIES)
    if draw(st.booleans()):
        return head(*lines, b"Content-Length: %d" % len(body)) + body, body
    pieces = [body[place : place + 7] for place in range(0, len(body), 7)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head(*lines, b"Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n", body


@settings(deadline=None, max_examples=60)
@given(st.lists(requests(), min_size=1, max_size=3), st.lists(st.integers(0, 2000), max_size=8))
def test_the_same_requests_however_they_arrive_and_as_another_parser_reads_them(sent: list[tuple[bytes, bytes]], places: list[int]) -> None:
    stream = b"".join(raw for raw, _ in sent)
    cuts = sorted({0, *(place for place in places if place < len(stream)), len(stream)})
    found = cut(*(stream[start:end] for start, end in pairwise(cuts)))
    assert found == cut(stream)
    assert [body_by_h11(request) for request in found] == [body for _, body in sent]


def body_by_h11(request: bytes) -> bytes:
    """As the parser behind reads it: one request, and nothing left over."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request)
    assert isinstance(connection.next_event(), h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert connection.trailing_data[0] == b""
    return body


@settings(deadline=None, max_examples=200)
@given(requests(), st.data())
def test_a_changed_byte_never_makes_more_requests_than_were_sent(sent: tuple[bytes, bytes], data: st.DataObject) -> None:
    raw = bytearray(sent[0])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"\r\n :;,0a\x00\xff\t"))
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    try:
        found = cut(bytes(raw) + smuggled)
    except Malformed:
        return
    for request in found:
        body_by_h11(request)  # whatever is handed on is one whole request to the parser behind as well


@given(st.binary(max_size=400))
def test_any_bytes_are_requests_or_malformed(noise: bytes) -> None:
    with suppress(Malformed):
        for request in cut(noise):
            body_by_h11(request)
