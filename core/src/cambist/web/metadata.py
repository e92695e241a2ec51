"""What a client can learn of this service by itself (RFC 8414), made of what is enabled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..credential import Role
from ..open_zone import OpenZone
from ..settings import Service
from ..token_type import ACCESS_TOKEN, JWT
from ..zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Zone


def authorization_server(service: Service, zone: OpenZone) -> Mapping[str, Any]:
    """The metadata document of a zone. Members without elements are left out (RFC 8414 section 3.2)."""
    applications = zone.zone.applications.values()
    credentials = any(CLIENT_CREDENTIALS in application.grants for application in applications)
    algorithms = sorted({name for application in applications if application.jwks for name in application.algorithms})
    document: dict[str, Any] = {
        "issuer": zone.zone.issuer,
        "token_endpoint": f"{service.url}/oauth/2/token",
        "jwks_uri": f"{service.url}/.well-known/jwks.json",
        "grant_types_supported": [TOKEN_EXCHANGE, *([CLIENT_CREDENTIALS] if credentials else [])],
        "token_endpoint_auth_methods_supported": list(_methods(zone.zone)),
        "urn:cambist:metadata:subject_token_types_supported": sorted(zone.guard.takers[Role.SUBJECT].token_types),
        "urn:cambist:metadata:requested_token_types_supported": [ACCESS_TOKEN, JWT],
        "urn:cambist:metadata:json_exchange_endpoint": f"{service.url}/v1/exchange/token",
    }
    if algorithms:
        document["token_endpoint_auth_signing_alg_values_supported"] = algorithms
    return {name: value for name, value in document.items() if value}


def _methods(zone: Zone) -> Iterator[str]:
    """The ways in which some application of the zone can prove itself."""
    applications = zone.applications.values()
    if any(application.secret_hash for application in applications):
        yield from ("client_secret_basic", "client_secret_post")
    if any(application.jwks for application in applications):
        yield "private_key_jwt"
    if zone.authenticates:
        yield "none"
