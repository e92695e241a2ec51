"""The command line: `cambist <command>`."""

from __future__ import annotations

from pathlib import Path

import click

from .brought import brought
from .config import DEFAULT
from .dev import dev
from .exchange import exchange, inspect_token
from .explain import explain
from .new import plugin
from .policy import policy
from .revoke import revoke, trust
from .secret import hash_client_secret
from .serve import check, serve
from .show import plugins, settings


class Commands(click.Group):
    """Our commands, and those that enabled plugins bring."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or brought(cmd_name)


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


for command in (dev, serve, check, exchange, inspect_token, explain, plugin, plugins, settings, policy, revoke, trust, hash_client_secret):
    main.add_command(command)
