"""The answers of both dialects as schemas, and their refusals by status, out of the tables by which they are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...credential import Role
from ...errors import (
    DeadlineExceeded,
    Fault,
    FramingUnsound,
    HeadTooLarge,
    NotArrived,
    Overloaded,
    PathUnknown,
    PluginFault,
    Refusal,
    ResponseTypeUnsupported,
    TooManyRequests,
    Unavailable,
)
from ...token_type import ACCESS_TOKEN, JWT
from ...wire import codes
from ...wire.parameters import JSON as JSON_BODY
from ...wire.refusing import Table

Schema = Mapping[str, Any]

_ELSEWHERE = {Refusal, PathUnknown, ResponseTypeUnsupported}
"""Refusals that an endpoint which exchanges does not tell."""
_ANYWHERE = (Unavailable, DeadlineExceeded, Overloaded, TooManyRequests, Fault, PluginFault, HeadTooLarge, FramingUnsound, NotArrived)
"""What may happen to any request at all."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one dialect tells refusals: its schema, and rows that no class of refusal has by itself."""

    schema: str
    more: tuple[tuple[int, str, str], ...]


FORM = Shape("Refusal", ((codes.CLIENT_FAILED.status, codes.CLIENT_FAILED.error, "the client's own proof was refused"),))
JSON = Shape(
    "JsonRefusal",
    (
        (401, "access_denied", "the client's own proof was refused, which it sent in `Authorization`"),
        (403, "access_denied", "the client's own proof was refused"),
        (501, "not_implemented", "`token_type_not_enabled` for a type of the published page"),
    ),
)


def refusals(table: Table, shape: Shape) -> Mapping[str, Any]:
    """Every status that an endpoint may refuse with, each with its error codes and reasons."""
    return _by_status({kind: told for kind, told in table.items() if kind not in _ELSEWHERE}, shape.schema, shape.more)


def of_kinds(*kinds: type[Refusal]) -> Mapping[str, Any]:
    """The same for what only reads: these kinds, and what may happen to any request."""
    return _by_status({kind: codes.TABLE[kind] for kind in (*kinds, *_ANYWHERE)}, FORM.schema, ())


def _by_status(table: Table, schema: str, more: tuple[tuple[int, str, str], ...]) -> Mapping[str, Any]:
    errors: defaultdict[int, set[str]] = defaultdict(set)
    said: defaultdict[int, list[str]] = defaultdict(list)
    for kind, told in table.items():
        errors[told.status].add(told.error)
        said[told.status].append(f"`{kind.reason}`")
    for status, error, why in more:
        errors[status].add(error)
        said[status].append(why)
    return {str(status): _refused(status, schema, sorted(errors[status]), said[status]) for status in sorted(errors)}


def _refused(status: int, schema: str, errors: list[str], said: list[str]) -> Mapping[str, Any]:
    narrowed = {"allOf": [{"$ref": f"#/components/schemas/{schema}"}, {"properties": {"error": {"enum": errors}}}]}
    return {
        "description": f"Refused. Reasons: {', '.join(said)}.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers(status, schema)},
        "content": {JSON_BODY: {"schema": narrowed}},
    }


def _headers(status: int, schema: str) -> Iterator[str]:
    yield from ("x-request-id", "cache-control")
    if status == 401:
        yield "www-authenticate"
    if status == 405:
        yield "allow"
    if status in (429, 503):
        yield "retry-after"


def plain(schema: str, description: str) -> Mapping[str, Any]:
    return {"description": description, "content": {JSON_BODY: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def either(one: str, other: str, description: str) -> Mapping[str, Any]:
    schemas = [{"$ref": f"#/components/schemas/{name}"} for name in (one, other)]
    return {"description": description, "content": {JSON_BODY: {"schema": {"anyOf": schemas}}}}


def answer(schema: str, description: str) -> Mapping[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", "cache-control", "cambist-decision-id")}
    return {**plain(schema, description), "headers": headers}


KNOWN = {"description": "The caller has this very one.", "headers": {"etag": {"$ref": "#/components/headers/etag"}}}


def kept(schema: str, description: str) -> Mapping[str, Any]:
    """What may be kept for a while."""
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("etag", "cache-control")}
    return {"200": {**plain(schema, description), "headers": headers}, "304": KNOWN}


def _header(meaning: str, **schema: Any) -> Mapping[str, Any]:
    return {"description": meaning, "required": True, "schema": {"type": "string", **schema}}


HEADERS: Mapping[str, Any] = {
    "x-request-id": _header("What the client calls its request, if it can be said back; else a name of ours."),
    "cache-control": _header("Answers of the endpoints that exchange are never kept."),
    "cambist-decision-id": _header("By which the ledger has the decision: `cambist explain ID`."),
    "www-authenticate": _header("How a client proves itself (RFC 6749 section 5.2)."),
    "allow": _header("The methods that the endpoint takes."),
    "retry-after": _header("Seconds to wait.", pattern="^[0-9]+$"),
    "etag": _header("By which who has a document can ask whether it is still this one."),
}


def _object(meaning: str, required: list[str], properties: Mapping[str, Schema], *, closed: bool = True) -> Schema:
    return {
        "type": "object",
        "description": meaning,
        "required": required,
        "properties": properties,
        **({"unevaluatedProperties": False} if closed else {}),
    }


_TEXT = {"type": "string"}
_TOLD: Mapping[str, Schema] = {
    "error": _TEXT,
    "error_description": {**_TEXT, "pattern": r"^[\x20-\x21\x23-\x5b\x5d-\x7e]*$"},
    "error_uri": {**_TEXT, "description": "Where the reason is explained."},
    "reason": {**_TEXT, "description": "Stable: a client may branch on it.", "pattern": "^[a-z0-9_]+$"},
    "decision_id": {"type": ["string", "null"], "description": "Null where nothing was decided."},
    "request_id": _TEXT,
    "details": {
        "type": "object",
        "properties": {
            "expected": {},
            "seen": {},
            "role": {"enum": [role.value for role in Role]},
            "differs_in": {"type": "array", "items": _TEXT},
            "hint": _TEXT,
        },
        "additionalProperties": False,
    },
}
_LIFE = {"type": "integer", "minimum": 1, "description": "Seconds."}

SCHEMAS: Mapping[str, Schema] = {
    "FormAnswer": _object(
        "RFC 8693 section 2.2.1; client credentials have no `issued_token_type`.",
        ["access_token", "token_type", "expires_in"],
        {
            "access_token": _TEXT,
            "issued_token_type": {"enum": [ACCESS_TOKEN, JWT]},
            "token_type": {"const": "Bearer"},
            "expires_in": _LIFE,
            "scope": _TEXT,
        },
    ),
    "JsonAnswer": _object(
        "Exactly the members of the published page.",
        ["access_token", "issued_token_type", "token_type", "expires_in"],
        {
            "access_token": _TEXT,
            "issued_token_type": {"const": JWT},
            "token_type": {"const": "Bearer"},
            "expires_in": _LIFE,
            "scope": _TEXT,
        },
    ),
    "Refusal": _object("RFC 6749 section 5.2, and more.", [*_TOLD], _TOLD),
    "JsonRefusal": _object(
        "One of the published page's codes; OAuth's is in `sts_error`.",
        [*_TOLD, "sts_error"],
        {**_TOLD, "sts_error": {"enum": sorted({told.error for told in codes.TABLE.values()})}},
    ),
}
