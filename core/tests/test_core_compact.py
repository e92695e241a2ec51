"""A compact JWS is taken apart strictly, before anything in it is believed."""

from __future__ import annotations

import base64
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import CredentialMalformed
from cambist.compact import Compact, base64url, encode, looks_compact

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def parts(header: object, claims: object, signature: bytes = b"signature") -> str:
    return f"{encode(msgspec.json.encode(header))}.{encode(msgspec.json.encode(claims))}.{encode(signature)}"


def test_the_three_parts_are_read_and_the_text_is_kept() -> None:
    text = parts({"alg": "ES256"}, {"iss": "https://issuer.test", "sub": "a"})
    compact = Compact.parse(text)
    assert (compact.text, compact.header, compact.claims["sub"], compact.issuer) == (text, {"alg": "ES256"}, "a", "https://issuer.test")


@pytest.mark.parametrize("issuer", [None, 5, ["https://issuer.test"], {"iss": "x"}, True])
def test_an_issuer_that_is_no_text_is_none(issuer: object) -> None:
    assert Compact.parse(parts({}, {"iss": issuer})).issuer is None
    assert Compact.parse(parts({}, {})).issuer is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "e30.e30.",
        ".e30.c2ln",
        "e30.e30",
        "e30.e30.c2ln.c2ln",
        "e30.e30.c2ln.c2ln.c2ln",
        "e30.e30.c2ln~c2ln",
        " e30.e30.c2ln",
        "e30.e30.c2ln\n",
        "e30.e30.c2 ln",
        "e30.e30.c2ln=",
        "e30.e30.c2+/",
        '{"payload":"e30","signatures":[]}',
        "e30.e30.ｃ2ln",
        "e30.e30.c2ln\x00",
        "." * 100_000,
    ],
)
def test_only_the_compact_serialization_has_the_shape(text: str) -> None:
    assert not looks_compact(text)
    with pytest.raises(CredentialMalformed, match="three base64url parts"):
        Compact.parse(text)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("raw", [b"[]", b'"a"', b"1", b"null", b"true"])
def test_header_and_payload_are_json_objects(raw: bytes, part: int) -> None:
    text = ".".join([*(["e30"] * part), encode(raw), *(["e30"] * (1 - part)), "c2ln"])
    with pytest.raises(CredentialMalformed, match=f"the {('header', 'payload')[part]} is not a JSON object"):
        Compact.parse(text)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(
    "raw",
    [
        b'{"alg":"none","alg":"ES256"}',
        b'{"alg":"ES256","\\u0061lg":"none"}',
        b"{}x",
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"a":["\\ud800"]}',
        "{}".encode("utf-16"),
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
def test_header_and_payload_are_read_strictly(raw: bytes, part: int) -> None:
    text = ".".join([*(["e30"] * part), encode(raw), *(["e30"] * (1 - part)), "c2ln"])
    with pytest.raises(CredentialMalformed, match=f"the {('header', 'payload')[part]} is "):
        Compact.parse(text)


@given(st.binary(max_size=80))
def test_bytes_survive_being_spelt_and_read(raw: bytes) -> None:
    assert base64url(encode(raw)) == raw
    assert "=" not in encode(raw)


@given(st.text(ALPHABET, max_size=40))
def test_one_byte_string_has_one_spelling(text: str) -> None:
    try:
        raw = base64url(text)
    except CredentialMalformed:
        return
    assert encode(raw) == text


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: len(raw) % 3), st.integers(1, 15))
def test_a_spelling_with_other_unused_bits_is_refused(raw: bytes, change: int) -> None:
    good = encode(raw)
    unused = 4 if len(raw) % 3 == 1 else 2
    other = good[:-1] + ALPHABET[ALPHABET.index(good[-1]) ^ (change & ((1 << unused) - 1) or 1)]
    assert base64.urlsafe_b64decode(other + "=" * (-len(other) % 4)) == raw  # as the standard library reads it
    with pytest.raises(CredentialMalformed, match="canonical"):
        base64url(other)


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA==", "AA=", "A A", "AA\n", "A+", "A/", "ä", "AA.", "\ud800"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(CredentialMalformed):
        base64url(text)


def test_the_signature_is_spelt_canonically_too() -> None:
    with pytest.raises(CredentialMalformed, match="canonical"):
        Compact.parse("e30.e30.QR")  # QQ is the spelling of its one byte
