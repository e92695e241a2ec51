"""What a client can learn of a zone by itself (RFC 8414, OpenID Connect Discovery), made of what is enabled: nothing that is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..credential import Role
from ..jwk import KeySet, undeclared
from ..open_zone import OpenZone
from ..request import Dialect
from ..settings import Settings
from ..token_type import ACCESS_TOKEN, JWT
from ..zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Application, Zone


def authorization_server(settings: Settings, opened: OpenZone) -> Mapping[str, Any]:
    """The metadata document of a zone that has endpoints. Members without elements are left out (RFC 8414 section 3.2)."""
    zone, here = opened.zone, settings.location(opened.zone)
    url = here.url if here else settings.service.url
    document: dict[str, Any] = {
        "issuer": zone.issuer,
        "token_endpoint": f"{url}/oauth/2/token",
        "authorization_endpoint": f"{url}/oauth/2/authorize",
        "jwks_uri": f"{url}/.well-known/jwks.json",
        "grant_types_supported": list(_grants(zone)),
        "token_endpoint_auth_methods_supported": list(_methods(zone)),
        "token_endpoint_auth_signing_alg_values_supported": _algorithms(zone),
        "urn:cambist:metadata:subject_token_types_supported": sorted(opened.guard.takers[Role.SUBJECT].token_types),
        "urn:cambist:metadata:requested_token_types_supported": [ACCESS_TOKEN, JWT],
        "urn:cambist:metadata:json_exchange_endpoint": f"{url}/v1/exchange/token",
        "urn:cambist:metadata:dialects_supported": [dialect.value for dialect in Dialect],
    }
    return {name: value for name, value in document.items() if value}


def _grants(zone: Zone) -> Iterator[str]:
    """Those that somebody may use. None at all would mean the grants of a browser (RFC 8414 section 2)."""
    allowed = {grant for application in zone.applications.values() for grant in application.grants}
    if zone.authenticates or TOKEN_EXCHANGE in allowed or not allowed:
        yield TOKEN_EXCHANGE
    if CLIENT_CREDENTIALS in allowed:
        yield CLIENT_CREDENTIALS


def _methods(zone: Zone) -> Iterator[str]:
    """The ways in which some application of the zone can prove itself."""
    if any(application.secret_hash for application in zone.applications.values()):
        yield from ("client_secret_basic", "client_secret_post")
    if _algorithms(zone):
        yield "private_key_jwt"
    if zone.authenticates:
        yield "none"


def _algorithms(zone: Zone) -> list[str]:
    """Those by which some application can sign: allowed to it, and fit for a key of its own."""
    return sorted({name for application in zone.applications.values() for name in _signing(application)})


def _signing(application: Application) -> Iterator[str]:
    if application.jwks is not None:
        keys = KeySet.of(application.jwks, rsa=undeclared(application.algorithms)).keys
        yield from (name for name in application.algorithms if any(name in key.algorithms for key in keys))
