"""Where the service listens, and by what."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import IPvAnyNetwork, field_validator

from .limits import Limits
from .shape import Field, Shape


class Listen(Shape):
    """Where the service listens."""

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8693, ge=0, le=65535, description="The port for plain HTTP; with TLS it serves health and keys only.")
    tls_port: int = Field(8694, ge=0, le=65535, description="The port for HTTPS, when a certificate is given.")
    certificate: Path | None = Field(None, description="The server's certificate chain, as a PEM file; turns TLS on.")
    private_key: Path | None = Field(None, description="The certificate's private key, as a PEM file.")
    client_ca: Path | None = Field(
        None, description="Certificates of the authorities whose client certificates are demanded on the TLS port."
    )
    insecure: bool = Field(False, description="Serve plain HTTP on an address that others can reach.")
    max_body: int = Field(65_536, gt=0, description="The largest request body, in bytes.")
    body_timeout: float = Field(10.0, gt=0, description="How long a request body may take to arrive, in seconds.")
    graceful: float = Field(10.0, ge=0, description="How long open requests may take when the service stops, in seconds.")
    workers: int = Field(1, ge=1, le=64, description="How many processes serve; more than one need a store and keys that processes share.")
    server: Literal["hypercorn", "uvicorn"] = Field("hypercorn", description="What serves plain HTTP; TLS is always hypercorn's.")
    proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Networks of the proxies in front, as addresses or as CIDR; they say whose request it is, and nobody else does."
    )
    forwarded_for: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="The header in which they say it; the other one is not read."
    )
    limits: Limits = Field(Limits(), description="How much is taken from strangers, and how long is waited for them.")

    @field_validator("proxies")
    @classmethod
    def _are_some(cls, proxies: tuple[IPvAnyNetwork, ...]) -> tuple[IPvAnyNetwork, ...]:
        if any(network.prefixlen == 0 for network in proxies):
            raise ValueError("a network of all addresses would let everybody say who they are")
        return proxies
