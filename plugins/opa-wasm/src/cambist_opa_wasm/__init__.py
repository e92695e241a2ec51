"""Policy by OPA's compiled rules: a WebAssembly bundle, evaluated in process and within limits."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Policy, ZoneHost, hookimpl

from .settings import OpaWasmSettings


@hookimpl
def cambist_policies(host: ZoneHost) -> Iterator[Policy]:
    from .policy import OpaWasmPolicy  # noqa: PLC0415 - wasmtime loads only where rules are going to be at work

    yield OpaWasmPolicy(host.settings(OpaWasmSettings), host)
