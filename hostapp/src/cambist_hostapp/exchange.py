"""`cambist exchange` and `cambist inspect`: ask a running service for a token, and look into one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click
import httpx

from cambist import Refusal
from cambist.compact import Compact
from cambist.token_type import JWT

from . import asking, tree
from .config import zone_of
from .output import Exit, as_json, stop


@click.command()
@click.option("--url", default="http://localhost:8693", show_default=True, help="Where the service is.")
@click.option("--token-file", type=click.File("r"), default="-", help="The credential; without it, from standard input.")
@click.option("--type", "token_type", default=JWT, show_default=True, help="What kind of credential it is.")
@click.option("--actor-file", type=click.File("r"), help="The token of the one who acts for the subject.")
@click.option("--audience", multiple=True, help="For whom the token is; may be repeated.")
@click.option("--resource", multiple=True, help="The same, as a URI; may be repeated.")
@click.option("--scope", help="Scopes, separated by spaces.")
@click.option("--client-id", help="The application that calls; its secret is read from $CAMBIST_CLIENT_SECRET.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="Certificates to trust, as a PEM file.")
@click.option("--dialect", type=click.Choice(["form", "json"]), default="form", show_default=True, help="Which endpoint to ask.")
@click.option("--json", "in_json", is_flag=True, help="Print the whole answer.")
@click.pass_context
def exchange(ctx: click.Context, /, **given: Any) -> None:
    """Ask a running service for a token, and print it."""
    token_file, actor_file, ca = given.pop("token_file"), given.pop("actor_file"), given.pop("ca")
    by_form, in_json = given.pop("dialect") == "form", given.pop("in_json")
    ask = asking.Ask(
        token=token_file.read(),
        actor=actor_file.read() if actor_file else None,
        client_secret=os.environ.get("CAMBIST_CLIENT_SECRET"),
        zone=None if zone_of(ctx) == "default" else zone_of(ctx),
        **given,
    )
    try:
        with httpx.Client(verify=str(ca) if ca else True, trust_env=False, timeout=30) as http:
            answer = (asking.by_form if by_form else asking.by_json)(ask, http)
            members = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        stop(Exit.CANNOT, f"no answer from {ask.url}: {error}")
    if in_json:
        as_json(members)
    elif answer.status_code == 200:
        click.echo(members["access_token"])
    if answer.status_code != 200:
        stop(Exit.NO, *_refused(members))


def _refused(members: dict[str, Any]) -> list[str]:
    lines = [f"refused: {members.get('error')}: {members.get('error_description')}", f"  reason    {members.get('reason')}"]
    lines += [f"  {name:<9} {value}" for name, value in members.get("details", {}).items()]
    return [*lines, f"  decision  {members.get('decision_id')}"]


@click.command("inspect")
@click.argument("token_file", type=click.File("r"), default="-")
@click.option("--json", "in_json", is_flag=True, help="Print header and claims.")
def inspect_token(token_file: Any, in_json: bool) -> None:
    """Draw a token as a tree, offline: who it is, who acts for whom, until when. Nothing is verified."""
    token = token_file.read().strip()
    try:
        if in_json:
            compact = Compact.parse(token)
            as_json({"header": compact.header, "claims": compact.claims})
        else:
            click.echo("\n".join(tree.drawn(token, time.time())))
    except Refusal as refusal:
        stop(Exit.NO, f"this is no JWT: {refusal.said}")
