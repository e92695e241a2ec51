"""Managed identities and applications of Azure, by the access tokens that Entra signs for them."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import AzureSettings
from .validator import EntraIdentities


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    yield EntraIdentities(host.settings(AzureSettings), host.jwts)
