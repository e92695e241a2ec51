"""The OpenAPI document of both dialects and of what stands around them, made of the tables that the wire itself works by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import MethodNotAllowed, ParameterInvalid, ResponseTypeUnsupported
from ...wire import codes, v1
from ...wire.parameters import FORM, JSON
from . import answers, asked, documents

HTML, TEXT = "text/html", "text/plain"


def document(url: str) -> Mapping[str, Any]:
    """The whole document, for a service at this URL. It says what every installation does, and nothing of this one."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cambist",
            "summary": "A security token service: a credential in, one short-lived, narrow token out.",
            "description": "A zone with an issuer of its own has the same endpoints beneath the path of its issuer.",
            "version": "1",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "paths": {**_exchanging(), **_published(), **_watched()},
        "components": {
            "schemas": {**asked.SCHEMAS, **answers.SCHEMAS, **documents.SCHEMAS},
            "headers": answers.HEADERS,
            "securitySchemes": {
                "client": {"type": "http", "scheme": "basic", "description": "Client id and secret (RFC 6749 section 2.3.1)."}
            },
        },
    }


def _exchanging() -> Mapping[str, Any]:
    return {
        "/oauth/2/token": {
            "post": {
                "operationId": "exchangeByForm",
                "summary": "Exchange a token (RFC 8693), or get one as an application, by form.",
                "requestBody": _body(FORM, "FormRequest"),
                "responses": {"200": answers.answer("FormAnswer", "A token."), **answers.refusals(codes.TABLE, answers.FORM)},
                "security": [{}, {"client": []}],
            }
        },
        "/v1/exchange/token": {
            "post": {
                "operationId": "exchangeByJson",
                "summary": "Exchange a token, by JSON.",
                "requestBody": _body(JSON, "JsonRequest"),
                "responses": {"200": answers.answer("JsonAnswer", "A token."), **answers.refusals(v1.TABLE, answers.JSON)},
                "security": [{}, {"client": []}],
            }
        },
        "/oauth/2/authorize": _read(
            "authorize",
            "There is nothing that begins in a browser: this always refuses, for clients that want such an endpoint.",
            answers.of_kinds(ResponseTypeUnsupported, MethodNotAllowed),
        ),
    }


def _published() -> Mapping[str, Any]:
    zone = {"name": "zone_id", "in": "query", "description": "The zone; absent: that of the endpoint.", "schema": {"type": "string"}}
    keys = {
        **answers.kept("JwkSet", "The public keys of one zone."),
        "404": {"description": "There is no such zone.", "content": {JSON: {"schema": {"$ref": "#/components/schemas/NotFound"}}}},
        **answers.of_kinds(ParameterInvalid, MethodNotAllowed),
    }
    told = {**answers.kept("Metadata", "The metadata of the issuer."), **answers.of_kinds(MethodNotAllowed)}
    page = {"200": {"description": "The page.", "content": {HTML: {"schema": {"type": "string"}}}}, **answers.of_kinds(MethodNotAllowed)}
    whole = {"200": {"description": "This document.", "content": {JSON: {"schema": {"type": "object"}}}}, "304": answers.KNOWN}
    return {
        "/.well-known/jwks.json": _read("keys", "The public keys of one zone.", keys, zone),
        "/v1/identity/jwks": _read("keysByTheirOtherName", "The same.", keys, zone),
        "/.well-known/oauth-authorization-server": _read("metadata", "Authorization server metadata (RFC 8414).", told),
        "/.well-known/openid-configuration": _read("metadataByOpenid", "The same, where OpenID clients look for it.", told),
        "/reasons": _read("reasons", "What each reason of a refusal means.", page),
        "/openapi.json": _read("openapi", "This document.", {**whole, **answers.of_kinds(MethodNotAllowed)}),
    }


def _watched() -> Mapping[str, Any]:
    no = answers.of_kinds(MethodNotAllowed)
    text = {"200": {"description": "Prometheus text.", "content": {TEXT: {"schema": {"type": "string"}}}}, **no}
    return {
        "/health": _read(
            "health", "The process answers.", {"200": answers.plain("Health", "It does."), **answers.of_kinds(MethodNotAllowed)}
        ),
        "/ready": _read(
            "ready",
            "Each dependency by name.",
            {**no, "200": answers.plain("Ready", "All is well."), "503": answers.either("Ready", "Refusal", "Something is not.")},
        ),
        "/metrics": _read("metrics", "Counts and times, as Prometheus reads them.", text),
        "/metrics.json": _read("metricsByJson", "The same as JSON.", {"200": answers.plain("Metrics", "By metric its samples."), **no}),
    }


def _body(kind: str, schema: str) -> Mapping[str, Any]:
    return {"required": True, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _read(operation: str, summary: str, responses: Mapping[str, Any], *parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    more = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"operationId": operation, "summary": summary, **more, "responses": dict(sorted(responses.items()))}}
