"""The parameters of a request, from a form or from JSON, decoded strictly and once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from .. import strictjson
from ..errors import Malformed, MediaTypeUnsupported, ParameterInvalid, ParameterMissing, ParameterRepeated, TargetInvalid
from ..value import Value
from .call import Call

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MEDIA_TYPES = {"form": FORM, "json": JSON}

REPEATABLE = frozenset({"resource", "audience"})
MAX_PARAMETERS = 100
MAX_TARGETS = 100

FROM_FILES = frozenset({"subject_token", "actor_token", "client_assertion", "client_secret"})
"""Four large SDKs send a token file with its last newline. Of every other value whitespace is a part (TX-01)."""

_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TARGET = re.compile(rb"(?:^|&)(?:resource|audience)=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Parameters(Value, frozen=True):
    """Values by name. A blank value is an absent one (RFC 6749 section 3.2); whitespace around a token is not part of it."""

    values: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """Raises ParameterInvalid for what is not plain text."""
        return None if (value := self.values.get(name)) is None else _text(name, value)

    def required(self, name: str) -> str:
        if (value := self.text(name)) is None:
            raise ParameterMissing(f"{name} is required", seen=name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A parameter that may have several values; each once, in the order they were sent."""
        several = self.values.get(name)
        if not isinstance(several, list):
            return () if (only := self.text(name)) is None else (only,)
        if len(several) > MAX_TARGETS:
            raise TargetInvalid("too many targets", expected=MAX_TARGETS)
        each = [None if one is None else _text(name, one) for one in several]
        if len(each) > 1 and None in each:
            raise ParameterInvalid(f"one {name} is blank", seen=name)
        return tuple(dict.fromkeys(one for one in each if one is not None))

    def whole(self, name: str) -> int | None:
        """A whole number of seconds; 0 is as absent."""
        value = self.values.get(name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
            value = int(value)
        if value in (None, "") or (value == 0 and not isinstance(value, bool)):
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1_000_000_000:
            raise ParameterInvalid(f"{name} must be a whole number of seconds", seen=name)
        return value

    def members(self, name: str) -> Mapping[str, Any] | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            raise ParameterInvalid(f"{name} must be an object", seen=name)
        return value


def _text(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        raise ParameterInvalid(f"{name} must be text", seen=name)
    if name in FROM_FILES:
        value = value.strip(" \t\r\n")
    # Most texts are printable, and that shows in half the time.
    if not value.isprintable() and _CONTROL.search(value):
        raise ParameterInvalid(f"{name} holds control characters", seen=name)
    return value or None


def media_type(call: Call, accepted: frozenset[str]) -> str:
    """The media type of the body; raises MediaTypeUnsupported unless it is one of these, in UTF-8."""
    declared = call.header("content-type")
    kind, *options = [part.strip() for part in (declared or "").lower().split(";")]
    charsets = {option.partition("=")[2].strip('" ') for option in options if option.startswith("charset=")}
    if kind not in accepted or charsets - {"utf-8", "utf8"}:
        raise MediaTypeUnsupported(expected=sorted(accepted), seen=declared)
    return kind


def parameters(kind: str, body: bytes) -> Parameters:
    return _form(body) if kind == FORM else _json(body)


def _json(body: bytes) -> Parameters:
    try:
        document = strictjson.loads(body)
    except strictjson.NotStrict as error:
        raise Malformed(f"the body is {error}") from error
    if not isinstance(document, dict):
        raise Malformed("the body is not a JSON object")
    return Parameters(document)


def _form(body: bytes) -> Parameters:
    """Our own decoder: the usual ones replace bad bytes, keep the first of two values and know other separators."""
    values: dict[str, Any] = {}
    pairs = body.split(b"&") if body else []
    if len(pairs) > MAX_PARAMETERS:
        raise _too_many(body, len(pairs))
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        key, text = _decoded(name), _decoded(value)
        if _CONTROL.search(key):
            raise Malformed("the name of a parameter holds control characters")
        if key in REPEATABLE:
            values.setdefault(key, []).append(text)
        elif key in values:
            raise ParameterRepeated(f"{_shown(key)} is repeated", seen=_shown(key))
        else:
            values[key] = text
    return Parameters(values)


def _too_many(body: bytes, pairs: int) -> Malformed:
    """Before anything is decoded: fifty thousand pairs take a tenth of a second."""
    if pairs - len(_TARGET.findall(body)) <= MAX_PARAMETERS:
        return TargetInvalid("too many targets", expected=MAX_TARGETS)
    return Malformed("too many parameters", expected=MAX_PARAMETERS)


def _decoded(raw: bytes) -> str:
    if not raw.isascii():
        raise Malformed("the form has bytes that should be percent-encoded")
    if _STRAY.search(raw):
        raise Malformed("the form has a % that encodes nothing")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the form is not UTF-8") from error


def _shown(name: str) -> str:
    """A name that a stranger chose, as it may be said back."""
    return name if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", name) else "a parameter"
