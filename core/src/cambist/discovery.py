"""Where an issuer's keys are, by its own word: a document that it publishes, held against what it must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import strictjson
from .egress import Answer
from .errors import Unavailable

if TYPE_CHECKING:
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata


class Gets(Protocol):
    """Who fetches documents: `Egress`, or what a resource server has in its place."""

    async def get(self, url: str, *, foreign: bool = False) -> Answer:
        """One answer within bounds; `foreign` if somebody else named the URL. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON document that was fetched."""

    value: Any
    headers: Mapping[str, str]


async def fetched(http: Gets, url: str, *, foreign: bool = False) -> Fetched:
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


async def jwks_uri(http: Gets, issuer: str) -> str:
    """Where the keys of an issuer are: by OpenID Connect Discovery, and where it has no such page by RFC 8414. Raises Unavailable."""
    # Here, because who verifies the tokens of this service finds its keys without Authlib, and need not have it.
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url  # noqa: PLC0415 - see above
    from authlib.oidc.discovery import OpenIDProviderMetadata  # noqa: PLC0415 - see above

    try:
        found = await fetched(http, issuer.rstrip("/") + "/.well-known/openid-configuration")
        return stated(found.value, issuer, OpenIDProviderMetadata)
    except Unavailable as error:
        if error.facts.get("status") != 404:
            raise
    found = await fetched(http, get_well_known_url(issuer, external=True))
    return stated(found.value, issuer, AuthorizationServerMetadata)


def stated(metadata: Any, issuer: str, shape: type[AuthorizationServerMetadata] | None = None) -> str:
    """The `jwks_uri` of a document that is this issuer's, and of this shape. Raises Unavailable."""
    # OpenID Connect Discovery section 4.3, RFC 8414 section 3.3: a document that names another issuer is not this issuer's.
    named = metadata.get("issuer") if isinstance(metadata, dict) else None
    if named != issuer:
        raise Unavailable(what="discovery", cause="the document names another issuer", named=named)
    url = metadata.get("jwks_uri")
    if not isinstance(url, str):
        raise Unavailable(what="discovery", cause="the document has no jwks_uri")
    if issuer.startswith("https:"):  # Authlib takes nothing else; an issuer on this machine may do without
        if shape is not None:
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
