"""`cambist inspect`: what stands in a token, offline, ours or anybody's; verified only by a key set that is given."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from cambist import Refusal
from cambist.compact import Compact
from cambist.jwk import KeySet
from cambist.jwts import payload
from cambist.strictjson import NotStrict, loads

from . import tree
from .oddities import oddities
from .output import Exit, as_json, stop


@click.command("inspect")
@click.argument("token_file", type=click.File("r"), default="-")
@click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A JWK set: verify the signature by it.")
@click.option("--json", "in_json", is_flag=True, help="Print header, claims, and what does not fit.")
def inspect_token(token_file: Any, jwks: Path | None, in_json: bool) -> None:
    """Draw a token as a tree, offline: who acts for whom, for whom it is, bound to what, until when. Without --jwks nothing is verified."""
    token, now = token_file.read().strip(), time.time()
    try:
        compact = Compact.parse(token)
    except Refusal as refusal:
        stop(Exit.NO, f"this is no JWT: {refusal.said}")
    trouble = None if jwks is None else _trouble(token, jwks)
    verified = jwks is not None and trouble is None
    if in_json:
        odd = list(oddities(compact, now))
        as_json({"verified": verified, "trouble": trouble, "header": compact.header, "claims": compact.claims, "does_not_fit": odd})
    else:
        said = f"The signature verifies by {jwks}; whether it is meant for you, and whether it is still good, was not judged."
        click.echo("\n".join(tree.drawn(token, now, said if verified else None)))
    if trouble is not None:
        stop(Exit.NO, f"the signature does not verify by {jwks}: {trouble}")


def _trouble(token: str, jwks: Path) -> str | None:
    """Why the signature does not verify; None where it does. Ends the command for what is no key set."""
    try:
        keys = KeySet.of(loads(jwks.read_bytes()))
    except (OSError, NotStrict, Refusal) as error:
        stop(Exit.CANNOT, f"{jwks} is no key set: {error}")
    try:
        payload(token, keys)
    except Refusal as refusal:
        known = ", ".join(f"{'/'.join(sorted(key.algorithms))} {key.kid or 'without kid'}" for key in keys.keys)
        return f"{refusal.said} There are: {'; '.join([known or 'no usable keys', *keys.dropped])}"
    return None
