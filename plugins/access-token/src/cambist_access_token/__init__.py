"""OAuth access tokens of the issuers that the operator trusts: JWTs (RFC 9068), and opaque ones by introspection (RFC 7662)."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import AccessTokenSettings
from .validator import NamedTokens, OpaqueTokens


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    """One validator for tokens that name their issuer, and one, if an issuer is asked about such, for those that name none."""
    settings = host.settings(AccessTokenSettings)
    named = NamedTokens(settings, host.http, host.jwts, host.clock)
    yield named
    if (opaque := settings.opaque) is not None:
        yield OpaqueTokens(named.asked[opaque.issuer], host.jwts)
