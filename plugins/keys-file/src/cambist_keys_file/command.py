"""`cambist keys …`: what keys there are, a new one, and one less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.decorators import pass_meta_key

from cambist.hooks import Invocation

from .listing import as_json, known_kid, rows, table, when

if TYPE_CHECKING:
    from .store import FileKeys

WITHDRAWN = (
    "Verifiers that keep the published keys may accept its tokens for {:g} seconds more; tokens that it signed verify no more after that."
)


STORE = "cambist_keys_file.store"


def keys(store: FileKeys) -> click.Group:
    """The commands of an open key store. Their callbacks are coroutines: whoever mounts them awaits what they return."""

    @click.group("keys", commands=[created, listed, rotated, withdrawn, rewrapped])
    @click.pass_context
    def group(ctx: click.Context) -> None:
        """Look after the signing keys."""
        ctx.meta[STORE] = store

    return group


def _before(ctx: click.Context, parameter: click.Parameter, zone: str | None) -> str | None:
    """The zone that stands before the command, where none stands behind it."""
    return zone if zone is not None else (ctx.find_object(Invocation) or Invocation()).zone


_with_store = pass_meta_key(STORE)
zoned = click.option("--zone", callback=_before, help="The zone; else the one that `cambist --zone` names.")
in_json = click.option("--json", "in_json", is_flag=True, help="Answer in JSON.")


@click.command("create")
@zoned
@in_json
@click.pass_obj
@_with_store
async def created(store: FileKeys, invocation: Invocation | None, zone: str | None, in_json: bool) -> None:
    """Make the first key of a zone before anything needs it."""
    name = _declared(invocation, _needed(zone))
    new = name not in store.zones()
    kid = (await store.signing(name)).kid
    said = "is made, and signs" if new else "was there before, and signs"
    click.echo(as_json({"created": new, "zone_id": name, "kid": kid}) if in_json else f"{kid} {said}")


@click.command("list")
@zoned
@in_json
@_with_store
async def listed(store: FileKeys, zone: str | None, in_json: bool) -> None:
    """Show the published keys, and what each of them does."""
    found = [row for name in _some(store, zone) for row in rows(store, await store.ring(name))]
    click.echo(as_json(found) if in_json else table(found))


@click.command("rotate")
@zoned
@click.option("--compromised", is_flag=True, help="Withdraw all keys of the zone, and sign with a new one at once.")
@in_json
@_with_store
async def rotated(store: FileKeys, zone: str | None, compromised: bool, in_json: bool) -> None:
    """Publish a new key now, and sign with it when every verifier has had time to see it."""
    name = _known(store, _needed(zone))
    done = await store.rotate(name, compromised=compromised)
    document = {"rotated": done.rotated, "zone_id": name, "kid": done.kid, "signs_from": done.signs_from}
    said = "is published" if done.rotated else "was published before, and waits"
    click.echo(as_json(document) if in_json else f"{done.kid} {said}; it signs from {when(done.signs_from)}")


@click.command("withdraw", context_settings={"ignore_unknown_options": True})  # a kid may begin with a hyphen
@click.argument("kid")
@zoned
@in_json
@_with_store
async def withdrawn(store: FileKeys, kid: str, zone: str | None, in_json: bool) -> None:
    """Publish one key no more. If it signs, the next one does at once, or a new one; for all of them: rotate --compromised."""
    name = _known(store, _needed(zone))
    known_kid(await store.ring(name), kid)
    done = await store.withdraw(name, kid)
    signing = (await store.signing(name)).kid
    click.echo(
        as_json({"withdrawn": done, "zone_id": name, "kid": kid, "signing": signing}) if in_json else f"{kid} is withdrawn; {signing} signs"
    )
    click.echo(WITHDRAWN.format(store.times.lead), err=True)


@click.command("rewrap")
@zoned
@in_json
@_with_store
async def rewrapped(store: FileKeys, zone: str | None, in_json: bool) -> None:
    """Encrypt the key files of all zones, or of one, under the KEK of the settings; `former_keks` are what they are under now."""
    done = {name: await store.rewrap(name) for name in _some(store, zone)}
    lines = [f"{name:<12} {'is under the KEK now' if changed else 'was under the KEK already'}" for name, changed in done.items()]
    click.echo(
        as_json([{"zone_id": name, "rewrapped": changed} for name, changed in done.items()])
        if in_json
        else "\n".join(lines) or "there are no keys yet"
    )


def _needed(zone: str | None) -> str:
    if zone is None:
        raise click.MissingParameter(param_hint="--zone", param_type="option", message="say whose key it is.")
    return zone


def _some(store: FileKeys, zone: str | None) -> tuple[str, ...]:
    """One zone or all that have keys."""
    return store.zones() if zone is None else (_known(store, zone),)


def _known(store: FileKeys, zone: str) -> str:
    """A mistyped name must not make keys for a zone that nobody has."""
    if zone not in store.zones():
        raise click.BadParameter(f"no zone {zone!r} has keys; those that have: {', '.join(store.zones()) or 'none'}", param_hint="--zone")
    return zone


def _declared(invocation: Invocation | None, zone: str) -> str:
    if zone not in (zones := invocation.zones if invocation else frozenset[str]()):
        raise click.BadParameter(f"no zone {zone!r}; there are {', '.join(sorted(zones)) or 'none'}", param_hint="--zone")
    return zone
