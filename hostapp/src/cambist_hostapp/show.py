"""`cambist plugins` and `cambist settings`: what is installed, what is at work, and where it came from."""

from __future__ import annotations

from typing import Any

import click

from cambist import Secret
from cambist.plugins import Installed
from cambist.shape import Shape

from .config import path_of, settings_of
from .output import as_json


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
    lines = {**_flat(found.service, "", leave_out={"zones"})}
    for name, zone in found.zones.items():
        lines |= _flat(zone, "" if name == "default" else f"zones.{name}.", leave_out={"id"})
    origins = {path: found.origin(path) for path in lines}
    if in_json:
        return as_json({path: {"value": _plain(value), "origin": origins[path]} for path, value in lines.items()})
    for path, value in lines.items():
        click.echo(f"{path:<48} {_plain(value)!s:<40} ({origins[path]})")
    return None


def _flat(value: Any, path: str, leave_out: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """Every leaf by its TOML path; what plugins were given is shown as it stands, for only they know its shape."""
    members = dict(value) if isinstance(value, Shape | dict) else None
    if members is None or (not members and path):
        return {path.rstrip("."): value}
    return {key: leaf for name, inner in members.items() if name not in leave_out for key, leaf in _flat(inner, f"{path}{name}.").items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Shape):
        return {name: _plain(inner) for name, inner in value}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool | dict) else str(value)
