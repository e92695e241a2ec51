"""The listeners of a running service: who listens where, over what, and serves which paths."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ssl import CERT_REQUIRED

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart

from cambist import DidNotStart, Refusal
from cambist.egress import LOOPBACK
from cambist.settings import Listen, Settings
from cambist.sts import Sts
from cambist.web.app import create
from cambist.web.metrics import Metrics

log = logging.getLogger(__name__)

WITHOUT_TLS = frozenset({"/health", "/.well-known/jwks.json"})
"""What the plain port serves where there is a TLS port: nothing that takes a credential (decision 22)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One port, the paths that it serves (None: all), and whether it speaks TLS."""

    port: int
    tls: bool
    only: frozenset[str] | None = None

    def url(self, listen: Listen) -> str:
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


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


async def listen_until(sts: Sts, metrics: Metrics, stopped: asyncio.Event) -> None:
    """Serve on all listeners until `stopped` is set, then finish what was accepted."""
    settings = sts.settings.service.listen
    async with asyncio.TaskGroup() as group:
        for listener in listeners(settings):
            app = create(sts, metrics, listener.only)
            group.create_task(serving(app, _config(settings, listener), stopped.wait))
            log.info("listening on %s", listener.url(settings))


async def serving(app: Quart, config: Config, until: Callable[[], Awaitable[object]]) -> None:
    async def trigger() -> None:
        await until()

    await serve(app, config, shutdown_trigger=trigger)


def _config(listen: Listen, listener: Listener) -> Config:
    config = Config()
    config.bind = [f"[{listen.host}]:{listener.port}" if ":" in listen.host else f"{listen.host}:{listener.port}"]
    config.include_server_header = False
    config.graceful_timeout = listen.graceful
    config.accesslog = None
    config.errorlog = None
    if listener.tls:
        config.certfile, config.keyfile = str(listen.certificate), str(listen.private_key)
        if listen.client_ca:
            config.ca_certs, config.verify_mode = str(listen.client_ca), CERT_REQUIRED
    return config


async def opened(sts: Sts) -> None:
    """Open the zone `default` before anything listens: rules that cannot be loaded keep the service shut. Raises DidNotStart."""
    try:
        await sts.zones.named("default")
    except Refusal as refusal:
        raise DidNotStart([f"zone default: {refusal.facts.get('cause', refusal.said)}"]) from refusal


async def serve_settings(settings: Settings) -> None:
    """Open a service and serve it until SIGTERM or SIGINT. Raises DidNotStart."""
    listeners(settings.service.listen)
    metrics, stopped = Metrics(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with Sts(settings, observers=(metrics,)) as sts:
        await opened(sts)
        await listen_until(sts, metrics, stopped)
        log.info("stopped")
