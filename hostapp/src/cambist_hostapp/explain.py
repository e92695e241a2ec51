"""`cambist explain`: the whole story of one decision, from the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import click

from cambist import DidNotStart, Settings, Sts, Unavailable
from cambist.hooks import CanFind
from cambist.legible import legible

from . import story
from .config import settings_of
from .output import Exit, as_json, starting, stop

MAX_ID = 128
NOT_THERE = (
    "  It may be in the ledger of another node, or older than the ledger is kept (`keep_age`, `keep_bytes`).",
    "  Of requests that could not be read only some are written (`sample`); the others are counted.",
)


# One id in 64 begins with a dash, and may have an h in it.
@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("decision_id")
@click.option("--json", "in_json", is_flag=True, help="Print the record as it is in the ledger, and what a refusal means.")
@click.pass_context
def explain(ctx: click.Context, decision_id: str, in_json: bool) -> None:
    """Tell the whole story of a decision, from the ledger: by the id that its answer had in `cambist-decision-id`."""
    settings = settings_of(ctx)
    try:
        with starting():
            record = asyncio.run(_found(settings, decision_id.strip()))
    except Unavailable as error:
        stop(Exit.CANNOT, f"{error.facts.get('what', 'the ledger')} cannot be believed, or read: {error.facts.get('cause', error.said)}")
    if record is None:
        stop(Exit.NO, f"the ledger has no decision {legible(decision_id, MAX_ID)}", *NOT_THERE)
    page = settings.service.reasons
    if in_json:
        return as_json(story.explained(record, page))
    click.echo("\n".join(story.told(record, page)))
    return None


async def _found(settings: Settings, decision_id: str) -> Mapping[str, Any] | None:
    async with Sts(settings) as sts:
        readers = [thing for _, thing in sts.kept if isinstance(thing, CanFind)]
        if not readers:
            raise DidNotStart(["plugins: no enabled plugin keeps a ledger that can be read; enable audit-log"])
        for reader in readers:
            if (record := await reader.find(decision_id)) is not None:
                return record
    return None
