"""What stands around the exchange, as schemas: keys, metadata, readiness and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...jwk import ASYMMETRIC

Schema = Mapping[str, Any]

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_STATES = {"type": "object", "additionalProperties": _TEXT}

_KEY: Schema = {
    "type": "object",
    "required": ["kty", "kid", "use", "alg"],
    "properties": {"kty": {"enum": ["EC", "OKP", "RSA"]}, "kid": _TEXT, "use": {"const": "sig"}, "alg": {"enum": sorted(ASYMMETRIC)}},
}

SCHEMAS: Mapping[str, Schema] = {
    "JwkSet": {
        "type": "object",
        "description": "RFC 7517 section 5.",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": _KEY}},
    },
    "Metadata": {
        "type": "object",
        "description": "RFC 8414 section 2; members without elements are left out.",
        "required": ["issuer", "token_endpoint", "jwks_uri", "grant_types_supported"],
        "properties": {"issuer": _TEXT, "token_endpoint": _TEXT, "authorization_endpoint": _TEXT, "jwks_uri": _TEXT},
        "additionalProperties": {"anyOf": [_TEXT, _TEXTS]},
    },
    "NotFound": {
        "type": "object",
        "required": ["error", "error_description", "reason", "request_id"],
        "properties": {"error": {"const": "not_found"}, "error_description": _TEXT, "reason": _TEXT, "request_id": _TEXT},
        "additionalProperties": False,
    },
    "Health": {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}, "additionalProperties": False},
    "Ready": {
        "type": "object",
        "required": ["status", "checks"],
        "properties": {"status": {"enum": ["ok", "unavailable"]}, "checks": _STATES, "warnings": _STATES},
        "additionalProperties": False,
    },
    "Metrics": {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["labels", "value"],
                "properties": {"labels": {"type": "object", "additionalProperties": _TEXT}, "value": {"type": "number"}},
                "additionalProperties": False,
            },
        },
    },
}
