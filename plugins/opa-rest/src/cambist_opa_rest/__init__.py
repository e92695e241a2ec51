"""Policy by an OPA server, asked over HTTP within a deadline."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Policy, ZoneHost, hookimpl

from .policy import OpaRestPolicy
from .settings import OpaRestSettings


@hookimpl
def cambist_policies(host: ZoneHost) -> Iterator[Policy]:
    yield OpaRestPolicy(host.settings(OpaRestSettings), host.http)
