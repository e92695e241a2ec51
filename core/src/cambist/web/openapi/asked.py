"""The requests of both dialects as schemas: every member that is read, with what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...client_assertion import JWT_BEARER
from ...token_type import ACCESS_TOKEN, ALIASES, JWT, KNOWN, PAGE
from ...wire.parameters import MAX_TARGETS
from ...wire.reading import ABSENT_FEATURES, MAX_SCOPE
from ...zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

Schema = Mapping[str, Any]

_SCOPE = "^[\\x21\\x23-\\x5b\\x5d-\\x7e]+( [\\x21\\x23-\\x5b\\x5d-\\x7e]+)*$"


def _text(meaning: str, **more: Any) -> Schema:
    return {"type": "string", "description": meaning, **more}


def _several(meaning: str) -> Schema:
    one = {"type": "string"}
    return {"description": meaning, "anyOf": [one, {"type": "array", "items": one, "maxItems": MAX_TARGETS}]}


_TYPE = "Its type: a name that some enabled plugin takes; metadata lists them."
_TYPES = {"examples": [*PAGE, *sorted(KNOWN - {*PAGE})], "x-aliases": dict(ALIASES)}
_REQUESTED = {JWT: "a JWT", ACCESS_TOKEN: "an access token"}

COMMON: Mapping[str, Schema] = {
    "grant_type": _text("What is asked for."),
    "subject_token": _text("On whose behalf: a credential of up to the zone's `max_token` characters, 16384 unless set."),
    "subject_token_type": _text(_TYPE, **_TYPES),
    "actor_token": _text("Who acts for the subject, if somebody else does."),
    "actor_token_type": _text(_TYPE, **_TYPES),
    "audience": _several("For whom the token is meant: declared resources, or absolute URIs without a fragment."),
    "resource": _several("As `audience` (RFC 8707)."),
    "scope": _text("Scopes, separated by one space each (RFC 6749 section 3.3).", pattern=_SCOPE, maxLength=MAX_SCOPE),
    "requested_token_type": _text("What is to be issued."),
    "zone_id": _text("The zone; absent: that of the endpoint."),
    "client_id": _text("The application that calls."),
    "application_id": _text("The same as `client_id`."),
    "client_secret": _text("Its secret, unless it is in `Authorization`."),
    "client_assertion": _text("Or a JWT that it has signed (RFC 7523)."),
    "client_assertion_type": _text("Its type.", enum=[JWT_BEARER]),
    "ttl_seconds": {"description": "How long the token is to live, in seconds.", "type": "integer", "minimum": 0, "maximum": 999_999_999},
}
"""Every member that both dialects read."""

EXECUTION: Schema = {
    "type": "object",
    "description": "The one HTTP action that the token is for.",
    "properties": {
        "htm": _text("Its method.", pattern="^[A-Z]{1,20}$"),
        "htu": _text("Its URL, absolute and without a fragment.", pattern="^https?://"),
        "nonce": _text("A value that is used once.", minLength=1, maxLength=256),
        "payload_hash": _text("SHA-256 of its body, base64url without padding.", pattern="^[A-Za-z0-9_-]{43}$"),
    },
    "required": ["htm", "htu", "nonce"],
    "additionalProperties": False,
}


def _request(meaning: str, grants: list[str], requested: list[str], required: list[str], more: Mapping[str, Schema]) -> Schema:
    """Members of nobody are ignored (RFC 6749 section 3.2), those of features that are not there are refused."""
    narrowed = {
        "grant_type": {**COMMON["grant_type"], "enum": grants},
        "requested_token_type": {**COMMON["requested_token_type"], "enum": requested},
    }
    absent = {name: {"description": "Refused: this feature is not there.", "maxLength": 0, "type": "string"} for name in ABSENT_FEATURES}
    return {"type": "object", "description": meaning, "properties": {**COMMON, **narrowed, **more, **absent}, "required": required}


SCHEMAS: Mapping[str, Schema] = {
    "FormRequest": _request(
        "Values may stand once, but `audience` and `resource`; blank ones are absent.",
        [TOKEN_EXCHANGE, CLIENT_CREDENTIALS],
        list(_REQUESTED),
        ["grant_type"],
        {},
    ),
    "JsonRequest": _request(
        "One JSON object, no member twice; blank ones are absent.",
        [TOKEN_EXCHANGE],
        [JWT],
        ["grant_type", "subject_token", "subject_token_type"],
        {"execution_scope": EXECUTION},
    ),
}
