"""Parameters are decoded strictly and once: what two decoders could read differently is refused (H6, H7, H10)."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.errors import (
    Malformed,
    MediaTypeUnsupported,
    ParameterInvalid,
    ParameterMissing,
    ParameterRepeated,
    TargetInvalid,
)
from cambist.wire.call import Call
from cambist.wire.parameters import FORM, JSON, REPEATABLE, Parameters, media_type, parameters

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1)
VALUES = st.text(st.characters(codec="utf-8"))


def form(body: bytes) -> dict[str, Any]:
    return dict(parameters(FORM, body).values)


@given(st.binary(max_size=400))
def test_whatever_bytes_come_they_are_read_or_refused_as_malformed(body: bytes) -> None:
    for kind in (FORM, JSON):
        with suppress(Malformed):
            assert isinstance(parameters(kind, body).values, dict)


@given(st.dictionaries(NAMES.filter(lambda name: name not in REPEATABLE and name.isprintable()), VALUES, max_size=20))
def test_a_well_formed_form_is_read_as_the_standard_library_reads_it(sent: dict[str, str]) -> None:
    body = urlencode(sent)
    assert form(body.encode()) == dict(parse_qsl(body, keep_blank_values=True, strict_parsing=bool(sent))) == sent


@pytest.mark.parametrize("name", ["%00scope", "sco%0Ape", "scope%E2%80%A8"])
def test_a_name_with_control_characters_is_refused_and_not_taken_for_an_unknown_one(name: str) -> None:
    with pytest.raises(Malformed, match="control characters"):
        form(f"{name}=read".encode())


@given(st.lists(st.tuples(st.sampled_from(sorted(REPEATABLE)), VALUES), max_size=20))
def test_targets_may_repeat_and_keep_their_order(sent: list[tuple[str, str]]) -> None:
    found = form(urlencode(sent).encode())
    assert found == {name: [v for n, v in sent if n == name] for name in {n for n, _ in sent}}


@pytest.mark.parametrize("second", ["a=1", "a=2", "%61=1"])
def test_a_parameter_given_twice_is_refused_in_any_spelling(second: str) -> None:
    with pytest.raises(ParameterRepeated, match="a is repeated"):
        form(f"a=1&{second}".encode())


def test_a_repeated_name_that_is_not_a_plain_word_is_not_said_back() -> None:
    with pytest.raises(ParameterRepeated) as refused:
        form(b"%3Cscript%3E=1&%3Cscript%3E=2")
    assert (refused.value.said, refused.value.seen) == ("a parameter is repeated", "a parameter")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a=%", "encodes nothing"),
        (b"a=%4", "encodes nothing"),
        (b"a=%G1", "encodes nothing"),
        (b"%u0041=1", "encodes nothing"),
        (b"a=%FF", "not UTF-8"),
        (b"a=%C0%AF", "not UTF-8"),
        (b"a=%ED%A0%80", "not UTF-8"),
        ("a=é".encode(), "percent-encoded"),
        ("a=é".encode("latin-1"), "percent-encoded"),
        ("grant_type=x".encode("utf-16"), "percent-encoded"),
        (b"\x1f\x8b\x08\x00AAAA", "percent-encoded"),
        (b"%00=1", "control characters"),
        (b"a%0Ab=1", "control characters"),
    ],
)
def test_bytes_that_decoders_repair_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        form(body)


def test_a_semicolon_separates_nothing_and_brackets_make_no_list() -> None:
    assert form(b"a=1;b=2&c[]=3&c[]x=4") == {"a": "1;b=2", "c[]": "3", "c[]x": "4"}


def test_a_plus_is_a_space_and_an_encoded_plus_is_a_plus() -> None:
    assert form(b"") == {}
    assert form(b"a=1+2%2B3&b&c=") == {"a": "1 2+3", "b": "", "c": ""}


def test_a_hundred_parameters_are_read_and_one_more_is_refused() -> None:
    pairs = [f"p{number}=1" for number in range(101)]
    assert len(form("&".join(pairs[:100]).encode())) == 100
    with pytest.raises(Malformed, match="too many parameters"):
        form("&".join(pairs).encode())


@pytest.mark.row("F-resource")
def test_too_many_targets_are_an_invalid_target() -> None:
    body = "&".join(["grant_type=x", *(f"resource=https://r{n}.test/" for n in range(500))])
    with pytest.raises(TargetInvalid, match="too many targets"):
        form(body.encode())
    with pytest.raises(TargetInvalid, match="too many targets"):
        Parameters({"audience": [f"https://r{n}.test/" for n in range(101)]}).texts("audience")


@pytest.mark.parametrize("body", [b"a&" * 32_000, b"%" * 65_536, b"%41" * 21_845, b'{"a":' * 13_000, b"[" * 65_536, b'"' + b"\\" * 65_000])
def test_the_worst_body_is_refused_or_read_in_ten_milliseconds(body: bytes) -> None:
    times = []
    for kind in (FORM, JSON) * 5:
        began = time.process_time()
        with suppress(Malformed):
            parameters(kind, body)
        times.append(time.process_time() - began)
    assert statistics.median(times) < (0.010 if sys.gettrace() is None else 0.1)  # what traces a run slows it down


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"5",
        b"null",
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":1} x',
        b'{"a":1}{}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\\ud800"}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a":1e999}',
    ],
)
def test_json_that_is_no_single_clear_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="the body is"):
        parameters(JSON, body)


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["subject_token", "actor_token", "client_assertion", "client_secret"])
def test_whitespace_around_what_is_read_from_files_is_not_part_of_it(name: str) -> None:
    assert Parameters({name: "\r\n\t tok en \n"}).text(name) == "tok en"
    assert Parameters({name: " \n"}).text(name) is None


@pytest.mark.parametrize("value", [" x", "x "])
def test_whitespace_around_anything_else_is_part_of_it(value: str) -> None:
    """TX-01: a grant type with a space behind it is another grant type."""
    assert Parameters({"grant_type": value}).text("grant_type") == value


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_control_characters_are_refused_wherever_they_stand(character: str) -> None:
    for name in ("audience", "subject_token"):
        with pytest.raises(ParameterInvalid, match="control characters"):
            Parameters({name: f"a{character}b"}).text(name)


def test_a_blank_value_is_an_absent_one() -> None:
    found = Parameters({"a": "", "b": None, "resource": [""]})
    assert (found.text("a"), found.text("b"), found.text("c"), found.texts("resource")) == (None, None, None, ())
    with pytest.raises(ParameterMissing, match="a is required"):
        found.required("a")


@pytest.mark.parametrize("value", [5, 1.5, True, ["a"], {"a": 1}])
def test_what_must_be_text_is_not_made_of_something_else(value: object) -> None:
    with pytest.raises(ParameterInvalid, match="subject_token must be text"):
        Parameters({"subject_token": value}).text("subject_token")


def test_several_values_keep_their_order_and_each_counts_once() -> None:
    assert Parameters({"resource": ["b", "a", "b"]}).texts("resource") == ("b", "a")
    assert Parameters({"resource": "b"}).texts("resource") == ("b",)
    assert Parameters({}).texts("resource") == ()


@pytest.mark.parametrize("values", [["a", ""], ["", ""], ["a", None]])
def test_a_blank_one_among_several_is_refused(values: list[str]) -> None:
    """A list with a hole is a list that somebody did not mean."""
    with pytest.raises(ParameterInvalid, match="one resource is blank"):
        Parameters({"resource": values}).texts("resource")


@pytest.mark.row("F-ttl")
@pytest.mark.parametrize(("value", "seconds"), [("60", 60), (60, 60), ("0", None), (0, None), ("", None), (None, None), ("007", 7)])
def test_seconds_are_whole_numbers(value: object, seconds: int | None) -> None:
    assert Parameters({"ttl_seconds": value}).whole("ttl_seconds") == seconds


@pytest.mark.row("F-ttl")
@pytest.mark.parametrize("value", ["-1", "1.5", "1e3", "0x10", "٣", "9999999999", "x", -1, 1.5, True, False, [1], {}, 10**12])
def test_anything_else_is_no_lifetime(value: object) -> None:
    with pytest.raises(ParameterInvalid, match="whole number of seconds"):
        Parameters({"ttl_seconds": value}).whole("ttl_seconds")


@pytest.mark.parametrize("value", ["{}", [], 5, True])
def test_members_are_those_of_an_object(value: object) -> None:
    with pytest.raises(ParameterInvalid, match="must be an object"):
        Parameters({"execution_scope": value}).members("execution_scope")


# ── media types ─────────────────────────────────────────────────────────────────────────────────────────


def typed(*values: str) -> Call:
    return Call(method="POST", path="/", headers=tuple(("Content-Type", value) for value in values))


@pytest.mark.parametrize("value", [FORM, FORM.upper(), f"{FORM};charset=UTF-8", f'{FORM} ; charset="utf-8"', f"{FORM}; charset=utf8; x=y"])
def test_a_media_type_may_have_parameters(value: str) -> None:
    assert media_type(typed(value), frozenset({FORM})) == FORM


@pytest.mark.parametrize(
    "value",
    ["", "text/plain", "multipart/form-data", JSON, f"{FORM}; charset=latin-1", f"{FORM};charset=utf-8;charset=utf-16", f"{FORM}, {JSON}"],
)
def test_any_other_type_or_charset_is_refused(value: str) -> None:
    with pytest.raises(MediaTypeUnsupported) as refused:
        media_type(typed(value), frozenset({FORM}))
    assert (refused.value.expected, refused.value.seen) == ([FORM], value)


def test_no_type_is_refused_and_so_are_two() -> None:
    with pytest.raises(MediaTypeUnsupported):
        media_type(typed(), frozenset({FORM}))
    with pytest.raises(Malformed, match="content-type is repeated"):
        media_type(typed(FORM, FORM), frozenset({FORM}))
