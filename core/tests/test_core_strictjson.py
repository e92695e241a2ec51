"""One decoder that reads a text as every other parser would, or refuses it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.strictjson import MAX_DEPTH, NotStrict, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_what_a_stranger_may_say_is_read_as_it_was_said(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text) == loads(text.encode()) == value


@given(st.text(max_size=60) | st.text('{}[]",:\\u0dDfaA1-.eE \n', max_size=60))
def test_any_text_is_a_value_or_not_strict_and_nothing_else(text: str) -> None:
    try:
        value = loads(text)
    except NotStrict:
        return
    assert value == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_not_strict_and_nothing_else(raw: bytes) -> None:
    try:
        value = loads(raw)
    except NotStrict:
        return
    assert value == json.loads(raw.decode())


def read_slowly(raw: bytes) -> Any:
    """As text, which has only one way to be read."""
    try:
        return loads(raw.decode())
    except (NotStrict, UnicodeDecodeError):
        return NotStrict


def read(raw: bytes) -> Any:
    try:
        return loads(raw)
    except NotStrict:
        return NotStrict


def told(value: Any) -> str:
    """With the types of its parts, which `==` does not compare: 1 is 1.0, and -0.0 is 0."""
    return repr(value)


@given(VALUES.map(msgspec.json.encode))
def test_what_an_encoder_wrote_is_read_as_it_is_slowly(raw: bytes) -> None:
    assert told(read(raw)) == told(read_slowly(raw))


@given(VALUES.map(msgspec.json.encode), st.data())
def test_what_was_changed_in_it_is_read_or_refused_as_it_is_slowly(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw)))
    more = data.draw(
        st.sampled_from([b"", b" ", b"{", b"}", b'"', b",", b'"a":1,', b"0", b"e5", b".0", b"-", b"\\", b"\\u0061", b"\xff", b"\0"])
    )
    changed = raw[:at] + more + raw[at + data.draw(st.integers(0, 2)) :]
    assert told(read(changed)) == told(read_slowly(changed))


@pytest.mark.parametrize(
    "raw",
    [
        b"18446744073709551616",
        b"123456789012345678901234567890",
        b"1" * 5000,
        b"9007199254740993.0",
        b"1e400",
        b"1e23",
        b"-0",
        b"-0.0",
        b"1E2",
        b'"\x7f"',
        b'"\xe2\x80\xa8"',
        b'"\\ud83d\\ude00"',
        b'"\\ud83d"',
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf"a"',
        b"[" * 17 + b"]" * 17,
        b"[" * 16 + b"]" * 16,
        b"[" * 200_000,
        b'{"a":{"b":1,"b":2}}',
        b"NaN",
        b"null",
        b"",
    ],
)
def test_what_decoders_differ_in_is_read_or_refused_as_it_is_slowly(raw: bytes) -> None:
    assert told(read(raw)) == told(read_slowly(raw))


@pytest.mark.parametrize(
    "text",
    [
        '{"iss":"a","iss":"b"}',
        '{"iss":"a","iss":"a"}',
        '{"iss":"a","\\u0069ss":"b"}',
        '{"a":{"b":1,"b":2}}',
        '[{"b":1,"b":2}]',
    ],
)
def test_a_member_is_said_once_at_every_depth_and_in_every_spelling(text: str) -> None:
    with pytest.raises(NotStrict, match="repeated"):
        loads(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"exp":-Infinity}'])
def test_what_is_no_number_of_json_is_refused_by_name(text: str) -> None:
    with pytest.raises(NotStrict, match="not JSON"):
        loads(text)


@pytest.mark.parametrize("text", ["1e400", "-1.5e9999", '{"exp":1e309}'])
def test_a_number_that_would_become_infinite_is_refused(text: str) -> None:
    with pytest.raises(NotStrict, match="out of range"):
        loads(text)


def test_a_number_of_five_thousand_digits_is_refused() -> None:
    with pytest.raises(NotStrict):
        loads("1" * 5000)


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '["\\ud800"]',
        '{"\\uDFAA":0}',
        '{"sub":"\\uDB00x"}',
        '{"aud":["a","\\udc00"]}',
        '[[{"a":["\\ud83d"]}]]',
        '"\\ud83d\\u0041"',
        '"\\udc00\\ud83d"',
        '"\ud83d"',
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands_and_however_it_is_spelt(text: str) -> None:
    with pytest.raises(NotStrict, match="surrogate"):
        loads(text)


def test_a_whole_pair_and_a_backslash_before_the_letters_are_no_surrogates() -> None:
    assert loads('["\\ud83d\\ude00", "\\\\ud800"]') == ["😀", "\\ud800"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ("{}".encode("utf-16-le"), "not one JSON value"),
        (b'["\x81"]', "not UTF-8"),
        (b'["\xed\xa0\x80"]', "not UTF-8"),
        (b'["\xc0\xaf"]', "not UTF-8"),
    ],
)
def test_only_utf_8_without_a_byte_order_mark_is_read(raw: bytes, said: str) -> None:
    with pytest.raises(NotStrict, match=said):
        loads(raw)


@pytest.mark.parametrize(
    "text", ["", " ", "{} {}", "{}x", "[1,]", "{'a':1}", '{"a":1,}', "// c\n1", "01", "+1", ".5", '"\t"', "\x001", "\f1"]
)
def test_only_one_value_in_the_grammar_of_json_is_read(text: str) -> None:
    with pytest.raises(NotStrict):
        loads(text)


def test_depth_is_counted_outside_of_strings() -> None:
    assert loads('["' + "[{" * 100 + '\\"[[[["]') == ["[{" * 100 + '"[[[[']
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert loads("[" + "[]," * 100 + "1]")[-1] == 1  # many, but beside each other
    for text in ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)):
        with pytest.raises(NotStrict, match="too deeply"):
            loads(text)


def test_the_depth_that_is_read_can_be_chosen() -> None:
    assert loads("[[]]", max_depth=2) == [[]]
    with pytest.raises(NotStrict, match="too deeply"):
        loads("[[]]", max_depth=1)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        '[{"":' * 12_000,
        "[" * 17 + '"' + '\\"' * 30_000,
        "{" * 17 + '"' * 60_000,
        "[" * 17 + "\\" * 60_000,
        '["' + "[" * 60_000 + '"]',
        "[" + "[]," * 20_000 + "1]",
        "]" * 30_000 + "[" * 30_000,
    ],
    ids=["open", "objects", "escaped quotes", "quotes", "backslashes", "one string", "many", "closed before opened"],
)
def test_sixty_kilobytes_of_anything_are_judged_at_once(text: str) -> None:
    started = time.process_time()
    with contextlib.suppress(NotStrict):
        loads(text)
    # A pattern that tries again at every quote took 16 seconds for the third of these.
    assert time.process_time() - started < 0.5
