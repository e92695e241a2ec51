"""`cambist explain`: the whole story of one decision, from the ledger."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from cambist import DidNotStart, Settings, Sts
from cambist.hooks import CanFind

from . import story
from .config import settings_of
from .output import Exit, as_json, starting, stop


@click.command()
@click.argument("decision_id")
@click.option("--json", "in_json", is_flag=True, help="Print the record as it is in the ledger.")
@click.pass_context
def explain(ctx: click.Context, decision_id: str, in_json: bool) -> None:
    """Tell the whole story of a decision, from the ledger."""
    with starting():
        record = asyncio.run(_found(settings_of(ctx), decision_id))
    if record is None:
        stop(Exit.NO, f"the ledger has no decision {decision_id}")
    if in_json:
        return as_json(record)
    click.echo("\n".join(story.told(record)))
    return None


async def _found(settings: Settings, decision_id: str) -> Any:
    async with Sts(settings) as sts:
        readers = [thing for _, thing in sts.kept if isinstance(thing, CanFind)]
        if not readers:
            raise DidNotStart(["plugins: no enabled plugin keeps a ledger that can be read; enable audit-log"])
        for reader in readers:
            if (record := await reader.find(decision_id)) is not None:
                return record
    return None
