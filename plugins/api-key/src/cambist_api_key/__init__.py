"""API keys that this service issued itself: for callers that have no better credential yet."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .keyring import Keyring
from .settings import ApiKeySettings
from .validator import ApiKeyValidator


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    settings = host.settings(ApiKeySettings)
    keyring = Keyring(zone=host.zone.id, store=host.store, clock=host.clock, pepper=settings.pepper, max_lifetime=settings.max_lifetime)
    # With the zone's name in it no two zones share the issuer of their keys, also where they share an issuer.
    issuer = f"{host.issuer.rstrip('/')}/api-keys/{host.zone.id}"
    yield ApiKeyValidator(issuer, keyring, actors=settings.actors)
