"""Service accounts of Google Cloud: by the identity tokens that Google signs for them, and by JWTs that they sign themselves."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import GcpSettings
from .validator import Nameless, ServiceAccounts


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    """One validator for tokens that name their issuer, and one that says of all others what they are."""
    yield ServiceAccounts(host.settings(GcpSettings), host.jwts)
    yield Nameless()
