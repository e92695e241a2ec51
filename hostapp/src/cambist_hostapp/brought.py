"""Commands that enabled plugins bring: `cambist <plugin> …`, run while the service is open."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

import click

from cambist import Refusal, Settings, Store, Sts
from cambist.hooks import CanFind, HasCommand, Invocation
from cambist.keys import KeyStore
from cambist.store import MemoryStore

from .config import settings_of, zone_named, zone_of
from .output import Exit, starting, stop

BY_SEAM: Mapping[str, type] = {"audit": CanFind}
"""Commands that are named after what a plugin does, whichever of them is at work."""


def brought(name: str) -> click.Command:
    """The command of a plugin, which runs while the service is open. `keys` is any key store, alone; `store` any store, closed."""

    @click.command(name, context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:
        with starting():
            try:
                settings = settings_of(ctx)
                said = Invocation(zone=zone_named(ctx), zones=frozenset(settings.zones))
                asyncio.run(_run(settings, zone_of(ctx), name, list(arguments), said))
            except Refusal as refusal:
                stop(Exit.CANNOT, f"{refusal.said} {refusal.facts.get('cause', '')}".rstrip())

    return command


async def _run(settings: Settings, zone: str, name: str, arguments: list[str], said: Invocation) -> None:
    sts = Sts(settings)
    if name == "store":
        async with sts.closed_store() as store:
            return await _called(name, [store], arguments, said)
    if name == "keys":
        async with sts.only_keys() as keys:
            return await _called(name, [keys], arguments, said)
    async with sts:
        await sts.zones.named(zone)
        if isinstance(sts.store, MemoryStore):
            click.echo("the store is in memory: what this keeps is gone when it ends; enable a store plugin", err=True)
        things = [thing for plugin, thing in sts.offered(zone) if name == plugin or isinstance(thing, BY_SEAM.get(name, ()))]
        return await _called(name, [thing for thing in things if not isinstance(thing, Store | KeyStore)], arguments, said)


async def _called(name: str, things: list[Any], arguments: list[str], said: Invocation) -> None:
    bringing = next((thing for thing in things if isinstance(thing, HasCommand)), None)
    if bringing is None:
        raise click.UsageError(f"no command {name!r}, and no enabled plugin that brings one")
    done = bringing.command().main(arguments, prog_name=f"cambist {name}", standalone_mode=False, obj=said)
    if inspect.isawaitable(done):
        await done
