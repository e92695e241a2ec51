"""Service-account tokens of the Kubernetes clusters that the operator trusts, by their keys, or by asking their API servers."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Validator, ZoneHost, hookimpl

from .settings import KubernetesSettings
from .validator import ServiceAccounts


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    yield ServiceAccounts(host.settings(KubernetesSettings), host.http, host.jwts)
