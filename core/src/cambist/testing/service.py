"""A whole service in memory, in milliseconds: no sockets, no files, no environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from ..audit import Record
from ..clock import Clock
from ..plugins import Installed, Plugin
from ..settings import parse
from ..sts import Sts, load_plugin
from ..token_type import JWT
from ..zone import TOKEN_EXCHANGE
from .clock import MovableClock
from .policies import AllowAll

ISSUER = "https://sts.example.test"


@dataclass
class Records:
    """An observer that keeps everything."""

    required: bool = False
    kept: list[Record] = field(default_factory=list)

    async def observe(self, record: Record) -> None:
        self.kept.append(record)


@dataclass(frozen=True)
class Running:
    """An open service, its HTTP client, and what its ledger was told."""

    sts: Sts
    http: httpx.AsyncClient
    records: list[Record]

    async def form(self, *pairs: tuple[str, str], headers: Mapping[str, str] | None = None, **parameters: str) -> httpx.Response:
        """Ask the form endpoint for a token exchange; a parameter given as "" is sent blank, `pairs` are sent as well."""
        from urllib.parse import urlencode

        default = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": JWT}
        if parameters.get("grant_type", TOKEN_EXCHANGE) != TOKEN_EXCHANGE:
            default = {}
        body = urlencode([*{**default, **parameters}.items(), *pairs])
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.http.post("/oauth/2/token", content=body, headers={**kind, **(headers or {})})

    async def json(self, headers: Mapping[str, str] | None = None, **members: Any) -> httpx.Response:
        """Ask the JSON endpoint for a token exchange; a member given as None is left out."""
        body = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": JWT, **members}
        sent = {name: value for name, value in body.items() if value is not None}
        return await self.http.post("/v1/exchange/token", json=sent, headers=dict(headers or {}))


@dataclass(frozen=True)
class AtHand:
    """Plugins that are at hand as modules, else those that are installed."""

    modules: Mapping[str, Any]

    def find(self, name: str) -> Plugin:
        return load_plugin(name, self.modules[name]) if name in self.modules else Installed().find(name)


@asynccontextmanager
async def open_sts(
    settings: Mapping[str, Any],
    *,
    modules: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Running]:
    """Open a service from settings as TOML would give them.

    Without an issuer it is ISSUER. Without a policy plugin among `modules` or the enabled ones, everything is permitted.
    Raises DidNotStart.
    """
    from ..web.app import create
    from ..web.metrics import Metrics

    at_hand = dict(modules or {})
    plugins = dict(settings.get("plugins", {}))
    if not any(hasattr(module, "cambist_policies") for module in at_hand.values()) and not any(map(_decides, plugins)):
        at_hand["scripted"] = AllowAll()
    document = {"issuer": ISSUER, **settings, "plugins": {**plugins, **{name: plugins.get(name, {}) for name in at_hand}}}
    judges: dict[str, Any] = {name: {} for name, module in at_hand.items() if load_plugin(name, module).judges}
    zones = {name: {**zone, "plugins": {**judges, **zone.get("plugins", {})}} for name, zone in document.get("zones", {}).items()}
    records, metrics = Records(), Metrics()
    opened = Sts(
        parse({**document, **({"zones": zones} if zones else {})}),
        clock=clock or MovableClock(),
        finder=AtHand(at_hand),
        transport=transport,
        observers=(records, metrics),
    )
    async with opened as sts:
        app = httpx.ASGITransport(app=create(sts, metrics))
        async with httpx.AsyncClient(transport=app, base_url=ISSUER) as http:
            yield Running(sts, http, records.kept)


def _decides(plugin: str) -> bool:
    """Whether an installed plugin is a policy backend; one that is not there, or does not load, is told of when the service opens."""
    try:
        return hasattr(Installed().find(plugin).module, "cambist_policies")
    except Exception:
        return False
