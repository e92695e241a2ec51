"""`cambist hash-secret`: the hash that stands in the settings in place of a client secret."""

from __future__ import annotations

import getpass
import sys

import click

from cambist.client_secret import hash_secret

from .output import Exit, stop


@click.command("hash-secret")
def hash_client_secret() -> None:
    """Read a client secret, and print the hash for an application's `secret_hash`."""
    secret = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not secret:
        stop(Exit.NO, "an empty secret is no secret")
    click.echo(hash_secret(secret))
