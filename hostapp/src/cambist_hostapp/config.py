"""The settings file that a command works with."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.core import ParameterSource

from cambist import DidNotStart, Settings
from cambist.settings import load

from .output import starting

DEFAULT = "cambist.toml"


def path_of(ctx: click.Context) -> Path:
    """What `--config` says, else the environment, else the file in this folder."""
    return ctx.find_root().params.get("config") or Path(os.environ.get("CAMBIST_CONFIG", DEFAULT))


def zone_of(ctx: click.Context) -> str:
    return str(ctx.find_root().params["zone"])


def zone_named(ctx: click.Context) -> str | None:
    """The zone of the command line; None where nobody named one."""
    root = ctx.find_root()
    return None if root.get_parameter_source("zone") is ParameterSource.DEFAULT else zone_of(ctx)


def settings_of(ctx: click.Context) -> Settings:
    """The settings; ends the command with everything that is wrong with them."""
    with starting():
        return read(path_of(ctx))


def read(path: Path) -> Settings:
    """The settings of a file. Raises DidNotStart; who named none learns how to."""
    if not path.exists():
        raise DidNotStart([f"{path}: there is no such file; name the settings with --config, or in CAMBIST_CONFIG"])
    return load(path)
