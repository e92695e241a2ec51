"""`cambist plugins` and `cambist settings`: what is installed, what is at work, and where it came from."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from cambist import Settings, Shape, Sts
from cambist.plugins import Installed

from .config import path_of, settings_of
from .output import as_json, starting


@click.command()
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def plugins(ctx: click.Context, in_json: bool) -> None:
    """List the installed plugins, and which of them the settings enable."""
    enabled = {name for zone in settings_of(ctx).zones.values() for name in zone.plugins} if path_of(ctx).exists() else set()
    found = [
        {"name": entry.name, "distribution": entry.dist.name if entry.dist else "?", "version": entry.dist.version if entry.dist else "?"}
        for entry in sorted(Installed.entries(), key=lambda entry: entry.name)
    ]
    listed = [{**plugin, "enabled": plugin["name"] in enabled} for plugin in found]
    if in_json:
        return as_json(listed)
    for plugin in listed:
        click.echo(f"{plugin['name']:<16} {plugin['distribution']:<24} {plugin['version']:<10} {'enabled' if plugin['enabled'] else '-'}")
    return None


@click.command()
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def settings(ctx: click.Context, in_json: bool) -> None:
    """Print every value that is at work, and where it came from. Secrets stay hidden."""
    found = settings_of(ctx)
    with starting():
        lines = {**_own(found), **asyncio.run(_plugins(found))}
    shown = {path: {"value": _plain(value), "origin": found.origin(path)} for path, value in lines.items()}
    if in_json:
        return as_json(shown)
    for path, told in shown.items():
        click.echo(f"{path:<48} {told['value']!s:<40} ({told['origin']})")
    return None


def _own(found: Settings) -> dict[str, Any]:
    """Every value of the service and its zones, by its TOML path."""
    lines = _leaves(found.service, "", {"zones"})
    for name, zone in found.zones.items():
        lines |= _leaves(zone, "" if name == "default" else f"zones.{name}.", {"id", "plugins"})
    return lines


async def _plugins(found: Settings) -> dict[str, Any]:
    """The same of the plugins: only they know which of their values are secret, so they are asked."""
    async with Sts(found) as sts:
        return {path: value for table, shape in sts.claims.items() for path, value in _leaves(shape, f"{table}.", set()).items()}


def _leaves(value: Any, path: str, left_out: set[str]) -> dict[str, Any]:
    members = _members(value)
    if not members:
        return {path.rstrip("."): value}
    kept = {name: inner for name, inner in members.items() if name not in left_out}
    return {key: leaf for name, inner in kept.items() for key, leaf in _leaves(inner, f"{path}{name}.", set()).items()}


def _members(value: Any) -> dict[str, Any]:
    """What stands inside a table; nothing for a plain value."""
    if isinstance(value, Shape):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return dict(value) if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    """A value as JSON can say it; a Secret says that it is one."""
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if members := _members(value):
        return {name: _plain(inner) for name, inner in members.items()}
    return value if value is None or isinstance(value, str | int | float | bool | dict) else str(value)
