"""`cambist exchange`: ask a running service for a token."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, NoReturn

import click
import httpx

from cambist.client import Application, Asked, Client, ExchangeFailed, by_assertion, by_secret
from cambist.token_type import JWT

from .config import zone_of
from .output import Exit, as_json, stop

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--url", default="http://localhost:8693", show_default=True, help="Where the service is.")
@click.option("--token-file", type=click.File("r"), default="-", help="The credential; without it, from standard input.")
@click.option("--type", "subject_type", default=JWT, show_default=True, help="What kind of credential it is.")
@click.option("--actor-file", type=click.File("r"), help="The token of the one who acts for the subject.")
@click.option("--actor-type", default=JWT, show_default=True, help="What kind of token that is.")
@click.option("--audience", multiple=True, help="For whom the token is; may be repeated.")
@click.option("--resource", multiple=True, help="The same, as a URI; may be repeated.")
@click.option("--scope", default="", help="Scopes, separated by spaces.")
@click.option("--ttl", type=click.IntRange(min=1), help="For how long it is to be good, in seconds.")
@click.option("--client-id", help="The application that calls; its secret is read from $CAMBIST_CLIENT_SECRET.")
@click.option("--client-key", type=FILE, help="Its private JWK, with alg and kid, in place of a secret.")
@click.option("--issuer", help="For whom an assertion by that key is; absent: the URL.")
@click.option("--ca", type=FILE, help="Certificates to trust, as a PEM file.")
@click.option("--dialect", type=click.Choice(["form", "json"]), default="form", show_default=True, help="Which endpoint to ask.")
@click.option("--json", "in_json", is_flag=True, help="Print the whole answer.")
@click.pass_context
def exchange(ctx: click.Context, /, **given: Any) -> None:
    """Ask a running service for a token, and print it."""
    zone = zone_of(ctx)
    try:
        with httpx.Client(verify=_trust(given["ca"]), trust_env=False, timeout=30) as http:
            token = _client(given, None if zone == "default" else zone, http).exchange(**_asked(given))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except ExchangeFailed as error:
        _failed(error, given["in_json"])
    if given["in_json"]:
        as_json(token.document)
    else:
        click.echo(token.access_token)


def _trust(authority: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def _client(given: dict[str, Any], zone: str | None, http: httpx.Client) -> Client:
    actor = given["actor_file"]
    return Client(
        given["url"],
        subject=given["token_file"].read(),
        subject_type=given["subject_type"],
        actor=actor.read() if actor else None,
        actor_type=given["actor_type"],
        application=_application(given),
        zone=zone,
        dialect=given["dialect"],
        http=http,
    )


def _application(given: dict[str, Any]) -> Application | None:
    name, key = given["client_id"], given["client_key"]
    if name is None:
        return None
    if key is not None:
        return by_assertion(name, key, given["issuer"] or given["url"])
    if not (secret := os.environ.get("CAMBIST_CLIENT_SECRET")):
        raise click.UsageError("--client-id: set $CAMBIST_CLIENT_SECRET, or give --client-key")
    return by_secret(name, secret)


def _asked(given: dict[str, Any]) -> Asked:
    asked = Asked(audience=given["audience"], resource=given["resource"], scope=given["scope"])
    if given["ttl"] is not None:
        asked["ttl"] = given["ttl"]
    return asked


def _failed(error: ExchangeFailed, in_json: bool) -> NoReturn:
    """An answer that says no, or none at all."""
    if error.error is None:
        stop(Exit.CANNOT, error.said)
    if in_json:
        as_json(error.document)
    lines = [f"refused: {error.error}: {error.said}", f"  reason    {error.reason}"]
    lines += [f"  {name:<9} {value}" for name, value in error.document.get("details", {}).items()]
    stop(Exit.NO, *lines, f"  decision  {error.decision_id}")
