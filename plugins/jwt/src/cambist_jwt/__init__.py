"""JWTs of the issuers that the operator trusts, each with its own keys, algorithms and audience."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import JwtSettings
from .validator import JwtValidator


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    yield JwtValidator(host.settings(JwtSettings), host.jwts)
