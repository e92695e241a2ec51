"""Bytes that two readers could see two requests in, sent to both servers: refused, closed after, and nothing in them is done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from habits.raw import SERVERS, Raw, chunked, exchange, form, head, health, raw_service

HOST = b"Host: sts.example.test"
POST = b"POST /oauth/2/token HTTP/1.1"
KIND = b"Content-Type: application/x-www-form-urlencoded"
GOOD = exchange(close=True)
"""What is to be smuggled: it would mint a token."""
FORM = form()
TE = b"Transfer-Encoding: chunked"


def post(*headers: bytes, body: bytes = FORM, start: bytes = POST) -> bytes:
    return head(start, HOST, KIND, *headers) + body


UNSOUND = {
    # RFC 9112 section 6.1 and 6.3: the length of a body, said in two ways (CL.TE, TE.CL), or in a way that some do not read.
    "length and coding": post(b"Content-Length: 5", TE, body=b"0\r\n\r\n"),
    "coding and length": post(TE, b"Content-Length: 5", body=b"0\r\n\r\n"),
    "coding in capitals and length": post(b"TRANSFER-ENCODING: CHUNKED", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(GOOD), body=b""),
    "the same length twice": post(b"Content-Length: %d" % len(FORM), b"Content-Length: %d" % len(FORM)),
    "a list of lengths": post(b"Content-Length: 0, %d" % len(FORM), body=b""),
    "a signed length": post(b"Content-Length: +%d" % len(FORM)),
    "a negative length": post(b"Content-Length: -1", body=b""),
    "a hexadecimal length": post(b"Content-Length: 0x10", body=b""),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b""),
    "an empty length": post(b"Content-Length:", body=b""),
    "a length in digits of another script": post("Content-Length: ٣".encode(), body=b""),
    "identity and chunked": post(b"Transfer-Encoding: identity, chunked", body=chunked(FORM)),
    "chunked twice": post(TE, TE, body=chunked(FORM)),
    "chunked and gzip": post(b"Transfer-Encoding: gzip, chunked", body=chunked(FORM)),
    "chunked not last": post(b"Transfer-Encoding: chunked, identity", body=chunked(FORM)),
    "identity": post(b"Transfer-Encoding: identity", b"X: y", body=b""),
    "a coding in quotes": post(b'Transfer-Encoding: "chunked"', body=chunked(FORM)),
    "a coding with a parameter": post(b"Transfer-Encoding: chunked;a=b", body=chunked(FORM)),
    "a coding with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=chunked(FORM)),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", body=chunked(FORM)),
    "a coding in HTTP/1.0": post(TE, start=b"POST /oauth/2/token HTTP/1.0", body=chunked(FORM)),
    # RFC 9112 section 7.1: chunks
    "a chunk extension": post(TE, body=b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk extension with a lone LF": post(TE, body=b"2;\nxx\r\n4c\r\n0\r\n\r\n"),
    "a space after a chunk size": post(TE, body=b"%x \r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a signed chunk size": post(TE, body=b"+%x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk size with 0x": post(TE, body=b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk size that overflows": post(TE, body=b"10000000000000000%x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk size of many zeros": post(TE, body=b"%060x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "no chunk size": post(TE, body=b"\r\n%b\r\n0\r\n\r\n" % FORM),
    "a chunk that ends in a lone LF": post(TE, body=b"%x\r\n%b\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk line that ends in a lone LF": post(TE, body=b"%x\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)),
    "a chunk longer than it says": post(TE, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(FORM) - 1, FORM)),
    "a trailer": post(TE, body=b"%x\r\n%b\r\n0\r\nContent-Length: 5\r\n\r\n" % (len(FORM), FORM)),
    # RFC 9112 section 2.2 and 5: lines
    "lone LF everywhere": exchange().replace(b"\r\n", b"\n"),
    "lone LF after the request line": exchange().replace(b"\r\n", b"\n", 1),
    "a lone LF within a value": post(b"X: a\nContent-Length: %d" % len(FORM)),
    "a lone CR within a value": post(b"X: a\rContent-Length: %d" % len(FORM)),
    "a lone LF before the end of the head": post(b"Content-Length: %d\r\n\n" % len(FORM)),
    "a header that goes on by a space": post(b"Content-Length: %d" % len(FORM), b"X: a", b" b"),
    "a header that goes on by a tab": post(b"Content-Length: %d" % len(FORM), b"X: a", b"\tTransfer-Encoding: chunked"),
    "a first header that begins with a space": head(POST, b" X: y", HOST, KIND, b"Content-Length: %d" % len(FORM)) + FORM,
    "a space before the colon": post(b"Content-Length : %d" % len(FORM)),
    "a space before the colon of a coding": post(b"Transfer-Encoding : chunked", body=chunked(FORM)),
    "a header without a colon": post(b"Content-Length", body=b""),
    "a header without a name": post(b": x", b"Content-Length: %d" % len(FORM)),
    "NUL in a value": post(b"X: a\x00b", b"Content-Length: %d" % len(FORM)),
    "NUL in a name": post(b"X\x00: a", b"Content-Length: %d" % len(FORM)),
    "a control character in a value": post(b"X: a\x1bb", b"Content-Length: %d" % len(FORM)),
    "DEL in a value": post(b"X: a\x7fb", b"Content-Length: %d" % len(FORM)),
    "a letter of another script in a name": post("Contént: a".encode("latin-1"), b"Content-Length: %d" % len(FORM)),
    # RFC 9112 section 3: the request line
    "two spaces": post(b"Content-Length: %d" % len(FORM), start=b"POST  /oauth/2/token HTTP/1.1"),
    "a tab for a space": post(b"Content-Length: %d" % len(FORM), start=b"POST\t/oauth/2/token\tHTTP/1.1"),
    "a space in the target": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/ token HTTP/1.1"),
    "no version": head(b"POST /oauth/2/token", HOST, KIND, b"Content-Length: %d" % len(FORM)) + FORM,
    "version in small letters": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/token http/1.1"),
    "version 1.2": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/token HTTP/1.2"),
    "version 2.0": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/token HTTP/2.0"),
    "version 0.9": b"GET /health\r\n\r\n",
    "two empty lines before": b"\r\n\r\n" + GOOD,
    "a space before the method": b" " + GOOD,
    "a fragment": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/token#x HTTP/1.1"),
    "a backslash": post(b"Content-Length: %d" % len(FORM), start=b"POST \\oauth\\2\\token HTTP/1.1"),
    "raw bytes in the target": post(b"Content-Length: %d" % len(FORM), start=b"POST /oauth/2/token?x=\xff HTTP/1.1"),
    "a target without a slash": post(b"Content-Length: %d" % len(FORM), start=b"POST oauth/2/token HTTP/1.1"),
    "an asterisk": head(b"OPTIONS * HTTP/1.1", HOST),
    "another scheme": post(b"Content-Length: %d" % len(FORM), start=b"POST ftp://a/oauth/2/token HTTP/1.1"),
    "a user in the target": post(b"Content-Length: %d" % len(FORM), start=b"POST http://u@a/oauth/2/token HTTP/1.1"),
    "no host": head(POST, KIND, b"Content-Length: %d" % len(FORM)) + FORM,
    "two hosts": post(b"Host: other.example.test", b"Content-Length: %d" % len(FORM)),
    "a host that is none": head(POST, b"Host: a/b c", KIND, b"Content-Length: %d" % len(FORM)) + FORM,
    "another expectation": post(b"Expect: 200-maybe", b"Content-Length: %d" % len(FORM)),
    # RFC 9113 section 3.4: HTTP/2 by prior knowledge, in the clear
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "a TLS handshake": bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n" + bytes(190),
}

METHODS = ["post", "Post", "FOO", "POSTX", "PROPFIND", "CONNECT"]


@pytest.fixture(scope="module", params=SERVERS)
def raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    with raw_service(tmp_path_factory.mktemp("raw"), request.param) as raw:
        assert raw.works()
        yield raw
        assert raw.works()


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_unsound_is_refused_and_closed_and_nothing_behind_it_is_read(raw: Raw, name: str) -> None:
    before = raw.decisions()
    heard = raw.ask(UNSOUND[name] + GOOD)
    assert (heard.statuses, heard.closed) == ([400], True), heard.raw
    answer = heard.answers[0]
    assert (answer.document["reason"], answer.document["error"]) == ("framing_unsound", "invalid_request")
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    assert "server" not in answer.headers
    assert raw.decisions() == before


@pytest.mark.parametrize("name", UNSOUND)
def test_what_was_asked_before_it_is_answered_all_the_same(raw: Raw, name: str) -> None:
    before = raw.decisions()
    heard = raw.ask(exchange() + UNSOUND[name] + GOOD)
    assert (heard.statuses, heard.closed) == ([200, 400], True), heard.raw
    assert raw.decisions() == before + 1


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_known_by_its_exact_name(raw: Raw, method: str) -> None:
    before = raw.decisions()
    heard = raw.ask(post(b"Content-Length: %d" % len(FORM), start=f"{method} /oauth/2/token HTTP/1.1".encode()) + GOOD)
    assert (heard.statuses, heard.closed) == ([405], True), heard.raw
    assert (heard.answers[0].headers["allow"], heard.answers[0].document["reason"]) == ("POST", "method_not_allowed")
    assert raw.decisions() == before


def test_a_refusal_has_the_shape_of_the_endpoint_that_was_asked(raw: Raw) -> None:
    json = raw.ask(head(b"post /v1/exchange/token HTTP/1.1", HOST)).answers[0]
    assert (json.document["error"], json.document["sts_error"]) == ("method_not_allowed", "invalid_request")
    form_ = raw.ask(head(b"post /oauth/2/token HTTP/1.1", HOST)).answers[0]
    assert (form_.document["error"], "sts_error" in form_.document) == ("invalid_request", False)
    assert raw.ask(head(b"get /health HTTP/1.1", HOST)).answers[0].headers["allow"] == "GET, HEAD"


def test_requests_in_one_packet_are_answered_in_order_and_each_is_done_once(raw: Raw) -> None:
    before = raw.decisions()
    wrong = exchange(body=form(secret="no"))
    heard = raw.ask(b"".join([exchange(), health(), wrong, exchange(), health(), GOOD, exchange()]))
    assert (heard.statuses, heard.closed) == ([200, 200, 401, 200, 200, 200], True)  # the last came after `Connection: close`
    tokens = [answer.document["access_token"] for answer in heard.answers if "access_token" in answer.document]
    assert len(set(tokens)) == 3
    assert raw.decisions() == before + 4


def test_a_request_in_single_bytes_is_the_same_request(raw: Raw) -> None:
    before = raw.decisions()
    heard = raw.ask(*[bytes([byte]) for byte in post(TE, b"Connection: close", body=chunked(FORM[:7], FORM[7:]))], pause=0.0005)
    assert (heard.statuses, raw.decisions()) == ([200], before + 1)


@pytest.mark.parametrize(
    "sound",
    {
        "chunked": post(TE, body=chunked(FORM)),
        "chunked in capitals": post(b"transfer-ENCODING: CHUNKED", body=chunked(FORM[:9], FORM[9:])),
        "chunk sizes with zeros": post(TE, body=b"%08x\r\n%b\r\n000\r\n\r\n" % (len(FORM), FORM)),
        "absolute form": post(b"Content-Length: %d" % len(FORM), start=b"POST http://elsewhere.test:81/oauth/2/token HTTP/1.1"),
        "one empty line before": b"\r\n" + exchange(),
        "latin-1 in a header": exchange("X: é".encode("latin-1")),
        "an upgrade to HTTP/2 in the clear": exchange(
            b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
        ),
        "an upgrade to WebSocket": exchange(b"Connection: keep-alive, upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        "an upgrade that is not announced": exchange(b"Upgrade: h2c"),
    }.values(),
)
def test_what_is_sound_is_answered_by_http_1_and_the_connection_goes_on(raw: Raw, sound: bytes) -> None:
    before = raw.decisions()
    heard = raw.ask(sound + GOOD)
    assert (heard.statuses, heard.closed) == ([200, 200], True), heard.raw
    assert raw.decisions() == before + 2


def test_a_websocket_is_not_opened(raw: Raw) -> None:
    key = (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    heard = raw.ask(head(b"GET /oauth/2/token HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: websocket", *key) + health(), until=2)
    assert heard.statuses == [405, 200]


def test_who_waits_for_100_is_told_to_go_on_once_and_then_answered(raw: Raw) -> None:
    request = exchange(b"Expect: 100-continue", close=True)
    waiting, body = request[: -len(FORM)], request[-len(FORM) :]
    before = raw.decisions()
    heard = raw.ask(waiting, body, pause=0.2)
    assert heard.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert heard.raw.count(b"100 Continue") == 1
    assert raw.decisions() == before + 1
    assert raw.ask(request).statuses == [200]  # who does not wait is not told


def test_http_1_0_is_answered_and_closed(raw: Raw) -> None:
    before = raw.decisions()
    old = exchange(start=b"POST /oauth/2/token HTTP/1.0")
    heard = raw.ask(old + GOOD)
    assert (heard.statuses, heard.closed) == ([200], True)
    assert raw.decisions() == before + 1
    assert raw.ask(head(b"GET /health HTTP/1.0")).statuses == [200]


@pytest.mark.parametrize("pipelined", [1, 3])
def test_who_ends_its_half_gets_its_answers(raw: Raw, pipelined: int) -> None:
    before = raw.decisions()
    heard = raw.ask(exchange() * pipelined, half=True)
    assert (heard.statuses, heard.closed) == ([200] * pipelined, True)
    assert raw.decisions() == before + pipelined


@pytest.mark.parametrize("cut", [1, len(FORM), len(FORM) + 2, len(FORM) + 60])
def test_a_request_that_is_cut_never_happened(raw: Raw, cut: int) -> None:
    before = raw.decisions()
    assert raw.ask(exchange()[:-cut], half=True).raw == b""
    assert raw.ask(post(TE, body=chunked(FORM))[:-cut], half=True).raw == b""
    with raw.connect() as connection:
        connection.sendall(exchange()[:-cut])
    assert raw.works()
    assert raw.decisions() == before + 1


def test_head_is_answered_without_a_body(raw: Raw) -> None:
    heard = raw.ask(head(b"HEAD /health HTTP/1.1", HOST, b"Connection: close"))
    assert heard.raw.startswith(b"HTTP/1.1 200")
    assert heard.raw.endswith(b"\r\n\r\n")
    refused = raw.ask(head(b"HEAD /health HTTP/1.1", HOST, HOST))
    assert refused.raw.startswith(b"HTTP/1.1 400")
    assert refused.raw.endswith(b"\r\n\r\n")
