"""`cambist api-key create|list|revoke`, for administrators; the service is open while it runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from .keyring import Keyring
from .record import Record

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

as_json = click.option("--json", "as_json", is_flag=True, help="Answer as one JSON document; times are in seconds since 1970.")


def group(keyring: Keyring) -> click.Group:
    commands = [_create(keyring), _list(keyring), _revoke(keyring)]
    return click.Group("api-key", commands=commands, help="The API keys of one zone.", no_args_is_help=True)


def _create(keyring: Keyring) -> click.Command:
    @click.command("create")
    @click.option("--owner", required=True, help="Who answers for the key: a team or a person.")
    @click.option("--subject", help="Whom the key proves; absent: the owner.")
    @click.option("--scope", "scopes", multiple=True, help="A scope the key carries; repeat it. Without any it carries none.")
    @click.option(
        "--expires-in", "lifetime", callback=_seconds, help="Its life, such as 90d, 12h, 30m or 45s; absent: the longest allowed."
    )
    @as_json
    @click.pass_context
    async def create(
        ctx: click.Context, /, *, owner: str, subject: str | None, scopes: tuple[str, ...], lifetime: int | None, as_json: bool
    ) -> None:
        """Make a key. It is printed this once and cannot be shown again."""
        try:
            made = await keyring.create(
                owner=owner,
                subject=owner if subject is None else subject,
                scopes=scopes,
                lifetime=keyring.max_lifetime if lifetime is None else lifetime,
            )
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from error
        if as_json:
            _document({"key": made.text.reveal(), **_told(keyring, made.record)})
        else:
            click.echo(made.text.reveal())
            click.echo(f"key {made.record.id} ends {_moment(keyring.ends(made.record))}; keep it now, it is not shown again", err=True)

    return create


def _list(keyring: Keyring) -> click.Command:
    @click.command("list")
    @as_json
    async def listed(as_json: bool) -> None:
        """All keys, without their secrets."""
        records = await keyring.all()
        if as_json:
            _document([_told(keyring, record) for record in records])
        else:
            _table([("ID", "STATE", "ENDS", "OWNER", "SUBJECT", "SCOPES"), *(_row(keyring, record) for record in records)])

    return listed


def _revoke(keyring: Keyring) -> click.Command:
    @click.command("revoke")
    @click.argument("key_id", metavar="ID")
    @as_json
    async def revoke(key_id: str, as_json: bool) -> None:
        """End a key at once and for good. Tokens that were issued for it live on until they expire."""
        record = await keyring.revoke(key_id)
        if record is None:
            # What was typed is not echoed: it may be a whole key.
            raise click.ClickException("there is no key with this id in this zone")
        if as_json:
            _document(_told(keyring, record))
        else:
            click.echo(f"key {record.id} of {record.owner} is revoked")

    return revoke


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if (parts := re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value)) is None:
        raise click.BadParameter("a number and a unit, such as 90d, 12h, 30m or 45s", ctx, parameter)
    return int(parts[1]) * UNITS[parts[2]]


def _state(keyring: Keyring, record: Record) -> str:
    if record.revoked is not None:
        return "revoked"
    return "active" if keyring.clock() < keyring.ends(record) else "expired"


def _told(keyring: Keyring, record: Record) -> dict[str, Any]:
    """What may be shown: member by member, so that a new one is not shown by accident."""
    return {
        "id": record.id,
        "state": _state(keyring, record),
        "owner": record.owner,
        "subject": record.subject,
        "scopes": list(record.scopes),
        "created": record.created,
        "expires": keyring.ends(record),
        "revoked": record.revoked,
    }


def _row(keyring: Keyring, record: Record) -> tuple[str, ...]:
    ends, scopes = _moment(keyring.ends(record)), " ".join(record.scopes) or "-"
    return record.id, _state(keyring, record), ends, record.owner, record.subject, scopes


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _document(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
