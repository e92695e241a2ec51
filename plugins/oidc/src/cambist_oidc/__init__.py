"""ID tokens of the issuers that the operator trusts: of people, and of the jobs of CI providers."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import OidcSettings
from .validator import OidcValidator


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    yield OidcValidator(host.settings(OidcSettings), host.jwts)
