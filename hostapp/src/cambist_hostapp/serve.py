"""`cambist serve` and `cambist check`: open the service, and serve it or say how it is."""

from __future__ import annotations

import asyncio
import sys

import click

from cambist import DidNotStart, Refusal, Settings, Sts

from . import logs
from .board import WORKERS
from .config import path_of, read, settings_of
from .output import Exit, as_json, starting
from .supervisor import Supervisor


@click.command()
@click.option("--workers", type=click.IntRange(1, WORKERS), help="How many processes serve; else listen.workers.")
@click.option("--server", type=click.Choice(["hypercorn", "uvicorn"]), help="What serves plain HTTP; else listen.server.")
@click.pass_context
def serve(ctx: click.Context, workers: int | None, server: str | None) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C); what was accepted is finished. SIGHUP reads the settings anew."""
    logs.configure()
    path = path_of(ctx)
    with starting():
        Supervisor(lambda: _over(read(path), workers, server)).run()


def _over(settings: Settings, workers: int | None, server: str | None) -> Settings:
    """The settings, with what the command line says in their place."""
    said = {name: value for name, value in (("workers", workers), ("server", server)) if value is not None}
    listen = settings.service.listen.model_copy(update=said)
    origins = settings.origins.over({f"listen.{name}": "command line" for name in said})
    return Settings(settings.service.model_copy(update={"listen": listen}), settings.zones, origins)


@click.command()
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check(ctx: click.Context, in_json: bool) -> None:
    """Open everything, say how each part is, and close again. Nothing is served."""
    settings = settings_of(ctx)
    with starting():
        try:
            parts = asyncio.run(_checked(settings))
        except DidNotStart as error:
            if in_json:
                as_json({"ok": False, "problems": error.problems})
            raise
    well = all(part["state"] == "ok" for part in parts)
    if in_json:
        as_json({"ok": well, "parts": parts})
    else:
        for part in parts:
            click.echo(f"{'✓' if part['state'] == 'ok' else '✗'} {part['name']:<24} {part['version']:<10} {part['state']}")
    sys.exit(Exit.DONE if well else Exit.NO)


async def _checked(settings: Settings) -> list[dict[str, str]]:
    async with Sts(settings) as sts:
        plugins = [{"name": p.name, "version": p.version, "state": "ok"} for p in sts.plugins.by_name.values()]
        for zone in settings.zones:
            try:
                await sts.zones.named(zone)
            except Refusal as refusal:
                plugins.append({"name": f"zone {zone}", "version": "", "state": str(refusal.facts.get("cause", refusal.reason))})
        checks = await sts.ready()
        return [*plugins, *({"name": name, "version": "", "state": state} for name, state in checks.items())]
