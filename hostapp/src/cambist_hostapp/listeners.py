"""The listeners of a running service: who listens where, over what, and serves which paths."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cambist import DidNotStart, Refusal
from cambist.egress import LOOPBACK
from cambist.settings import Listen
from cambist.sts import Sts
from cambist.web.front import Front

from .sockets import Address

if TYPE_CHECKING:
    from cambist.web.metrics import Metrics

    from .servers.entrance import Entrance

WITHOUT_TLS = frozenset({"/health", "/.well-known/jwks.json"})
"""What the plain port serves where there is a TLS port: nothing that takes a credential (decision 22)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One port, the paths that it serves (None: all), and whether it speaks TLS."""

    port: int
    tls: bool
    only: frozenset[str] | None = None

    def address(self, listen: Listen) -> Address:
        return listen.host, self.port

    def url(self, listen: Listen, port: int = 0) -> str:
        """Where it is reached; `port` where the system chose one."""
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        return f"{'https' if self.tls else 'http'}://{host}:{port or self.port}"


def listeners(listen: Listen) -> tuple[Listener, ...]:
    """Raises DidNotStart when credentials would cross a network in the clear."""
    if listen.certificate and listen.private_key:
        return (Listener(listen.tls_port, tls=True), Listener(listen.port, tls=False, only=WITHOUT_TLS))
    if listen.certificate or listen.private_key:
        raise DidNotStart(["listen: certificate and private_key belong together"])
    if listen.client_ca:
        raise DidNotStart(["listen.client_ca: client certificates need TLS: give certificate and private_key"])
    if listen.host not in LOOPBACK and not listen.insecure:
        raise DidNotStart([f"listen.host: {listen.host} can be reached by others: give a certificate, or set listen.insecure = true"])
    return (Listener(listen.port, tls=False),)


def addresses(listen: Listen) -> list[Address]:
    return [listener.address(listen) for listener in listeners(listen)]


def mounted(sts: Sts, metrics: Metrics) -> Mapping[Listener, Front]:
    """The front of each listener; made before it is said that the service is open, for it takes a while."""
    from cambist.web.app import front  # the check does without Quart

    return {listener: front(sts, metrics, listener.only) for listener in listeners(sts.settings.service.listen)}


async def serve_on(
    fronts: Mapping[Listener, Front],
    entrances: Mapping[Address, Entrance],
    listen: Listen,
    stopped: asyncio.Event,
    turned_away: Callable[[Refusal], None] = lambda _: None,
) -> None:
    """Serve on all listeners by these entrances until `stopped` is set, then finish what was accepted.

    `turned_away` hears of each request that no endpoint has heard of.
    """
    async with asyncio.TaskGroup() as group:
        for listener, front in fronts.items():
            entrance = entrances[listener.address(listen)]
            group.create_task(server(listen, listener.tls).serve(front, entrance, listen, listener.tls, stopped, turned_away=turned_away))


def server(listen: Listen, tls: bool) -> Any:
    """The one that the settings choose; TLS is always Hypercorn's. Loaded where it is used."""
    return import_module(f".servers.{'hypercorn' if tls else listen.server}", __package__)


async def opened(sts: Sts) -> None:
    """Open the zone `default` before anything listens: rules that cannot be loaded keep the service shut. Raises DidNotStart."""
    try:
        await sts.zones.named("default")
    except Refusal as refusal:
        raise DidNotStart([f"zone default: {refusal.facts.get('cause', refusal.said)}"]) from refusal
