"""One bounded JSON decoder for everything that strangers send.

The standard library keeps the last of two members with one name, lets NaN, surrogates and a byte order mark
pass, and recurses as deep as it is told. Two parsers that disagree on one text are how a signature is made to
say what it does not (RFC 8259 section 4; RFC 7519 section 4 lets us refuse duplicates).
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from json.scanner import make_scanner
from typing import Any, NoReturn

import msgspec

MAX_DEPTH = 16

# Possessive, and content with a string that does not end: a pattern that tries again is an attack by quotes (16 kB took a second).
_STRINGS = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_A_BRACKET = re.compile(r"[^\[\]{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class NotStrict(ValueError):
    """The text is not one JSON value that every parser would read alike."""


def loads(raw: bytes | str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Decode one JSON value; raises NotStrict, and nothing else, for anything unclear."""
    if isinstance(raw, bytes) and raw.count(b"[") + raw.count(b"{") <= max_depth and (plain := _plain(raw)) is not None:
        return plain
    text = _utf8(raw)
    if text.count("[") + text.count("{") > max_depth and _depth(text) > max_depth:
        raise NotStrict("nested too deeply")
    try:
        value = _decoded(text)
    except NotStrict:
        raise
    except (ValueError, RecursionError) as error:
        raise NotStrict("not one JSON value") from error
    # Half of a pair can also be spelt as an escape, in any text at any depth.
    if "\\u" in text and _ESCAPED_SURROGATE.search(text) and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise NotStrict("contains a lone surrogate")
    return value


def _plain(raw: bytes) -> Any:
    """The value, if these bytes are what an encoder makes of it: then there is no other way to read them. None: it is not known.

    Most JSON is written by programs, in this form: one name once, no space, no escape that is not needed. A decoder in C
    that knows no hooks takes a third of the time.
    """
    try:
        value = msgspec.json.decode(raw)
        return value if msgspec.json.encode(value) == raw else None
    except (ValueError, RecursionError):  # what is wrong with it is told by who reads it slowly
        return None


def _utf8(raw: bytes | str) -> str:
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
    except UnicodeDecodeError as error:  # also for every surrogate in bytes
        raise NotStrict("not UTF-8") from error
    if text.startswith("\ufeff"):
        raise NotStrict("starts with a byte order mark")
    if text is raw and _SURROGATE.search(text):
        raise NotStrict("contains a lone surrogate")
    return text


def _decoded(text: str) -> Any:
    """Most texts are a value from the first character to the last; the decoder looks for space around it."""
    try:
        value, end = _SCAN(text, 0)
        if end == len(text):
            return value
    except StopIteration:
        pass
    return _DECODER.decode(text)


def _depth(text: str) -> int:
    """Without a loop of ours over what a stranger sent: 64 kB of brackets would take longer than a refusal may."""
    brackets = _NOT_A_BRACKET.sub("", _STRINGS.sub("", text))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("a member name is repeated")
    return members


def _constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is not JSON")


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise NotStrict("a number is out of range")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, parse_float=_float)
_SCAN = make_scanner(_DECODER)  # type: ignore[arg-type]  # the stubs take the scanner for what it is made of
