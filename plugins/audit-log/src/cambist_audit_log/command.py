"""`cambist audit …`: whether the ledger is whole, what happened last, and who got what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cambist import Unavailable

from . import searching
from .findings import Finding, Report
from .line import encoded
from .searching import Following, Line, Query, part
from .verifying import Ledger

if TYPE_CHECKING:
    from .audit_log import AuditLog

PAUSE = 0.25
"""How often `--follow` looks, in seconds."""

in_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def audit(log: AuditLog) -> click.Group:
    """The commands of an open ledger. Their callbacks are coroutines: whoever mounts them awaits what they return."""

    @click.group("audit")
    def group() -> None:
        """Look into the ledger of decisions, and prove that it is whole."""

    @group.command("verify")
    @in_json
    async def verified(as_json: bool) -> None:
        """Read the whole ledger, and name every record that was altered, removed, moved, doubled or cut off."""
        # First the checkpoints: whatever is written meanwhile is after them.
        ledger = Ledger(log.settings.directory, log.keyring, log.settings.owner, await log.checkpoints.all())
        report = await _read(ledger.verified)
        click.echo(_json(report.document()) if as_json else _told(report))
        if report.damaged:
            raise click.exceptions.Exit(1)

    @group.command("tail")
    @click.option("-n", "most", default=10, show_default=True, type=click.IntRange(0, 10_000), help="How many decisions.")
    @click.option("--follow", is_flag=True, help="Go on with those that come.")
    @in_json
    async def tail(most: int, follow: bool, as_json: bool) -> None:
        """Show the last decisions."""
        following = Following(log.settings.directory) if follow else None
        _show(await _read(lambda: searching.last(log.settings.directory, most)), as_json=as_json)
        while following is not None:
            await asyncio.sleep(PAUSE)
            _show(await _read(following.more), as_json=as_json)

    group.add_command(_search(log))
    return group


def _search(log: AuditLog) -> click.Command:
    @click.command("search", epilog="Names may hold * and ?. Times: 2027-01-15, 2027-01-15T12:00:00Z, or 15m, 2h, 3d: so long ago.")
    @click.option("--decision", help="The id of the decision.")
    @click.option("--outcome", type=click.Choice(["permitted", "refused", "cancelled"]), help="How it ended.")
    @click.option("--reason", help="The reason of the refusal.")
    @click.option("--in-zone", "zone", help="The zone.")
    @click.option("--client", help="Who called.")
    @click.option("--subject", help="For whom.")
    @click.option("--actor", help="Who acts.")
    @click.option("--since", help="Not before this time.")
    @click.option("--until", help="Before this time.")
    @click.option("-n", "--limit", "most", default=100, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
    @in_json
    async def search(most: int, as_json: bool, since: str | None, until: str | None, **names: str | None) -> None:
        """Find decisions; nothing found is exit code 1."""
        now = log.clock()
        query = Query(since=since and _moment(since, now), until=until and _moment(until, now), **names)
        found = await _read(lambda: searching.searched(log.settings.directory, query, most))
        _show(found, as_json=as_json)
        if not found:
            raise click.exceptions.Exit(1)

    return search


async def _read(work: Any) -> Any:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Unavailable(what="the audit log", cause=error.strerror or type(error).__name__) from error


def _moment(text: str, now: float) -> str:
    try:
        return searching.at(text, now)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no time: write 2027-01-15T12:00:00Z, or 15m") from error


# ── in words ────────────────────────────────────────────────────────────────────────────────────────────


def _told(report: Report) -> str:
    read = f"{report.decisions} decisions in {report.lines} lines, {report.segments} segments, {report.chains} chains"
    first = f"DAMAGED: {len(report.damage) + report.more} findings in {read}" if report.damaged else f"whole: {read}"
    more = [f"and {report.more} more"] if report.more else []
    return "\n".join([first, *map(_finding, report.damage), *more, *map(_finding, report.notes)])


def _finding(finding: Finding) -> str:
    return _shown(f"{finding.kind:<11} {finding.place}: {finding.text}")


def _show(lines: list[Line], *, as_json: bool) -> None:
    """One line each, also in JSON."""
    for line in lines:
        click.echo(encoded(line).decode() if as_json else _row(line))


def _row(line: Line) -> str:
    client = part(line, "client")
    who = client.get("id") or client.get("claimed") or "-"
    subject = part(line, "subject").get("subject", "-")
    targets = part(line, "granted").get("audience") or part(line, "asked").get("targets")
    said = line.get("reason") or line.get("outcome", "-")
    to = ", ".join(map(str, targets)) if isinstance(targets, list) else "-"
    return _shown(f"{line.get('at', '-')}  {said!s:<22} {who} for {subject} -> {to}  {line['decision_id']}")


def _shown(text: str) -> str:
    """On a terminal nothing may move the cursor or turn the direction of the text: strangers chose some of it (CWE-150)."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
