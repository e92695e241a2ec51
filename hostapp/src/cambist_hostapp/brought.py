"""Commands that enabled plugins bring: `cambist <plugin> …`, run while the service is open."""

from __future__ import annotations

import asyncio
import inspect

import click

from cambist import Refusal, Settings, Sts
from cambist.hooks import HasCommand
from cambist.keys import KeyStore
from cambist.store import MemoryStore

from .config import settings_of, zone_of
from .output import Exit, starting, stop


def brought(name: str) -> click.Command:
    """The command of a plugin; the service is open while it runs. `keys` is whichever key store is at work."""

    @click.command(name, context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:
        with starting():
            try:
                asyncio.run(_run(settings_of(ctx), zone_of(ctx), name, list(arguments)))
            except Refusal as refusal:
                stop(Exit.CANNOT, f"{refusal.said} {refusal.facts.get('cause', '')}".rstrip())

    return command


async def _run(settings: Settings, zone: str, name: str, arguments: list[str]) -> None:
    async with Sts(settings) as sts:
        await sts.zones.named(zone)
        if isinstance(sts.store, MemoryStore):
            click.echo("the store is in memory: what this keeps is gone when it ends; enable a store plugin", err=True)
        things = [thing for plugin, thing in sts.offered(zone) if name == plugin or (name == "keys" and isinstance(thing, KeyStore))]
        bringing = next((thing for thing in things if isinstance(thing, HasCommand)), None)
        if bringing is None:
            raise click.UsageError(f"no command {name!r}, and no enabled plugin that brings one")
        done = bringing.command().main(arguments, prog_name=f"cambist {name}", standalone_mode=False)
        if inspect.isawaitable(done):
            await done
