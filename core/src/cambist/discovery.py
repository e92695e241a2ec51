"""Where an issuer's keys are, by its own word: a document that it publishes, held against what it must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.discovery import OpenIDProviderMetadata

from . import strictjson
from .egress import Egress
from .errors import Unavailable


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON document that was fetched."""

    value: Any
    headers: Mapping[str, str]


async def fetched(http: Egress, url: str, *, foreign: bool = False) -> Fetched:
    """The document at a URL; `foreign` if somebody else named it. Raises Unavailable.

    Its media type is not asked for: many key sets are served as plain text, and what is not one JSON value is refused anyway.
    """
    answer = await http.get(url, foreign=foreign)
    if answer.status != 200:
        raise Unavailable(what=url, cause=f"status {answer.status}", status=answer.status)
    try:
        return Fetched(strictjson.loads(answer.body), answer.headers)
    except strictjson.NotStrict as error:
        raise Unavailable(what=url, cause=str(error)) from error


async def jwks_uri(http: Egress, issuer: str) -> str:
    """Where the keys of an issuer are: by OpenID Connect Discovery, and where it has no such page by RFC 8414. Raises Unavailable."""
    try:
        found = await fetched(http, issuer.rstrip("/") + "/.well-known/openid-configuration")
        return _judged(OpenIDProviderMetadata, found.value, issuer)
    except Unavailable as error:
        if error.facts.get("status") != 404:
            raise
    found = await fetched(http, get_well_known_url(issuer, external=True))
    return _judged(AuthorizationServerMetadata, found.value, issuer)


def _judged(shape: type[AuthorizationServerMetadata], metadata: object, issuer: str) -> str:
    # OpenID Connect Discovery section 4.3, RFC 8414 section 3.3: a document that names another issuer is not this issuer's.
    if not isinstance(metadata, dict) or metadata.get("issuer") != issuer:
        raise Unavailable(what="discovery", cause="the document names another issuer")
    url = metadata.get("jwks_uri")
    if not isinstance(url, str):
        raise Unavailable(what="discovery", cause="the document has no jwks_uri")
    if issuer.startswith("https:"):  # Authlib takes nothing else; an issuer on this machine may do without
        _validate(shape(metadata))
        # Authlib lets http pass for this very machine: an issuer out there has no keys in here.
        if not url.startswith("https:"):
            raise Unavailable(what="discovery", cause="jwks_uri is not an https URL")
    return url


def _validate(document: AuthorizationServerMetadata) -> None:
    """What is used of it; of the rest, issuers that only sign for workloads leave out what a login would need."""
    try:
        document.validate_issuer()
        document.validate_jwks_uri()
    except ValueError as error:
        raise Unavailable(what="discovery", cause=str(error)) from error
