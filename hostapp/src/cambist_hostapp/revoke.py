"""`cambist revoke` and `cambist trust distrust`: accept something no more, in every worker within a second.

Only the store is opened, so that a leaked token can be revoked also while the policy or a key store is in trouble.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from msgspec import to_builtins

from cambist import DidNotStart, Identity, Refusal, Sts
from cambist.identifier import identifier
from cambist.revocation import EVERYWHERE, Kind, Revocation, Revocations
from cambist.store import MemoryStore

from .config import settings_of, zone_of
from .output import Exit, as_json, starting, stop

DAY = 86_400.0
KEPT = 30
"""Days for which a token or a transaction stays revoked: longer than any of them lives, whatever the clock does meanwhile."""


@click.group()
def revoke() -> None:
    """Accept a token, a transaction, a subject or an application of a zone no more."""


@click.group()
def trust() -> None:
    """Look after whom the service trusts."""


def _common(function: Callable[..., None]) -> Callable[..., None]:
    with_reason = click.option("--reason", default="", help="Why, for whoever reads it later.")(function)
    return click.option("--lift", is_flag=True, help="Accept it again.")(with_reason)


@revoke.command()
@click.argument("issuer")
@click.argument("token_id")
@_common
@click.pass_context
def token(ctx: click.Context, issuer: str, token_id: str, reason: str, lift: bool) -> None:
    """One token, by its issuer and its id (`jti`)."""
    _change(ctx, Kind.TOKEN, (issuer, token_id), reason, lift, ttl=KEPT * DAY)


@revoke.command()
@click.argument("transaction_id")
@_common
@click.pass_context
def transaction(ctx: click.Context, transaction_id: str, reason: str, lift: bool) -> None:
    """A token of this service and everything that was exchanged from it, by the `txn` that they share."""
    _change(ctx, Kind.TRANSACTION, (transaction_id,), reason, lift, ttl=KEPT * DAY)


@revoke.command()
@click.argument("issuer")
@click.argument("name")
@_common
@click.pass_context
def subject(ctx: click.Context, issuer: str, name: str, reason: str, lift: bool) -> None:
    """Somebody, by its issuer and its subject there; also as an actor, and in tokens of this service."""
    zone = settings_of(ctx).zones[_declared(ctx)]
    _change(ctx, Kind.SUBJECT, (identifier(zone, Identity(issuer=issuer, subject=name)),), reason, lift)


@revoke.command()
@click.argument("name")
@_common
@click.pass_context
def application(ctx: click.Context, name: str, reason: str, lift: bool) -> None:
    """A calling application, whatever it is called with, and tokens that it asked for."""
    if name not in settings_of(ctx).zones[_declared(ctx)].applications:
        click.echo(f"zone {_declared(ctx)} declares no application {name!r}; its tokens are revoked all the same", err=True)
    _change(ctx, Kind.APPLICATION, (name,), reason, lift)


@revoke.command("list")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def listed(ctx: click.Context, in_json: bool) -> None:
    """Everything that is revoked, the latest first."""
    found = _run(ctx, Revocations.all)
    if in_json:
        return as_json([to_builtins(revocation) for revocation in found])
    click.echo("\n".join(_line(revocation) for revocation in found) or "nothing is revoked")
    return None


@trust.command()
@click.argument("issuer")
@click.argument("kid", required=False)
@_common
@click.pass_context
def distrust(ctx: click.Context, issuer: str, kid: str | None, reason: str, lift: bool) -> None:
    """An issuer, or one of its keys, in every zone; also in tokens that were exchanged from its own."""
    kind, parts = (Kind.ISSUER, (issuer,)) if kid is None else (Kind.KEY, (issuer, kid))
    _change(ctx, kind, parts, reason, lift, zone=EVERYWHERE)


def _change(
    ctx: click.Context, kind: Kind, parts: tuple[str, ...], reason: str, lift: bool, *, zone: str | None = None, ttl: float | None = None
) -> None:
    where = _declared(ctx) if zone is None else zone
    revocation = Revocation(zone=where, kind=kind, parts=parts, at=time.time(), reason=reason)
    if lift:
        _run(ctx, lambda revocations: revocations.lift(revocation))
    else:
        _run(ctx, lambda revocations: revocations.revoke(revocation, ttl=ttl))
    click.echo(f"{'accepted again' if lift else 'revoked'}: {_named(revocation)}")


def _declared(ctx: click.Context) -> str:
    """A mistyped zone would revoke nothing, and say that it did."""
    if (zone := zone_of(ctx)) not in (zones := settings_of(ctx).zones):
        raise click.BadParameter(f"no zone {zone!r}; there are {', '.join(zones)}", param_hint="--zone")
    return zone


def _run(ctx: click.Context, work: Callable[[Revocations], Any]) -> Any:
    with starting():
        try:
            return asyncio.run(_with_store(ctx, work))
        except Refusal as refusal:
            stop(Exit.CANNOT, f"{refusal.said} {refusal.facts.get('cause', '')}".rstrip())


async def _with_store(ctx: click.Context, work: Callable[[Revocations], Any]) -> Any:
    sts = Sts(settings_of(ctx))
    async with sts.only_store() as store:
        if isinstance(sts.store, MemoryStore):
            raise DidNotStart(["store: it is in memory, where no other process can be told; enable a store plugin, such as sqlite"])
        return await work(Revocations(store))


def _named(revocation: Revocation) -> str:
    where = f"zone {revocation.zone}" if revocation.zone else "every zone"
    return f"{revocation.kind} {' '.join(revocation.parts)} in {where}"


def _line(revocation: Revocation) -> str:
    at = datetime.fromtimestamp(revocation.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{at}  {_named(revocation)}{f'  ({revocation.reason})' if revocation.reason else ''}"
