"""The command line: `cambist <command>`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .config import DEFAULT
from .warm import undisturbed

COMMANDS: Mapping[str, str] = {
    "check": "serve:check",
    "dev": "dev:dev",
    "exchange": "exchange:exchange",
    "explain": "explain:explain",
    "hash-secret": "secret:hash_client_secret",
    "inspect": "inspect:inspect_token",
    "plugin": "new:plugin",
    "plugins": "show:plugins",
    "policy": "policy:policy",
    "revoke": "revoke:revoke",
    "serve": "serve:serve",
    "settings": "show:settings",
    "trust": "trust:trust",
}
"""Where each command is; loaded when it is asked for. A service that starts again does not wait for the others."""


class Commands(click.Group):
    """Our commands, and those that enabled plugins bring."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            command: click.Command = _loaded("brought:brought")(cmd_name)
            return command
        ours: click.Command = _loaded(COMMANDS[cmd_name])
        return ours


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    with undisturbed():
        return getattr(import_module(f".{module}", __package__), name)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="An enabled plugin can bring a command of its own name, such as `cambist api-key`. "
    "Exit codes: 0 done, 1 the answer is no, 2 the command line is wrong, 3 it could not be tried.",
)
@click.version_option(package_name="cambist", prog_name="cambist")
@click.option("-c", "--config", type=click.Path(path_type=Path), default=None, help=f"Settings; else $CAMBIST_CONFIG, else {DEFAULT}.")
@click.option("--zone", default="default", show_default=True, help="The zone that a plugin's command works in.")
def main(config: Path | None, zone: str) -> None:
    """Exchange any workload credential for one short-lived, narrow, attributable token."""
