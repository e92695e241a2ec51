"""A decision told in words, from its record in the ledger: who asked for what, how it went, what came of it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cambist.legible import legible
from cambist.settings import REASONS
from cambist.wire.reasons import Reason, named

from . import steps
from .steps import Record, kind, moment, refusing

MAX_LINE = 1000
"""Characters of a line: what strangers wrote stands in them."""
OUTCOMES = {"cancelled": "cancelled: the caller hung up, or the service stopped"}


def told(record: Record, page: str = REASONS) -> Iterator[str]:
    """The lines of the story, the outcome first. `page` explains the reasons."""
    for line in _lines(record, page):
        yield legible(line, MAX_LINE)


def explained(record: Record, page: str = REASONS) -> dict[str, Any]:
    """The record, and what a refusal means and asks for."""
    if not record.get("reason"):
        return dict(record)
    reason = named(record["reason"])
    more = {"meaning": reason.meaning, "likely_cause": reason.likely, "fix": reason.fix} if reason else {}
    return {**record, "explained": {"step": refusing(record), **more, "link": _link(reason, page)}}


def _link(reason: Reason | None, page: str) -> str:
    return f"{page}#{reason.code}" if reason else page


def _lines(record: Record, page: str) -> Iterator[str]:
    outcome = record["outcome"]
    reason = f": {record['reason']}" if record.get("reason") else ""
    yield f"decision {record['decision_id']}  {record.get('at', '')}  {OUTCOMES.get(outcome, outcome)}{reason}"
    if "untold" in record:
        yield f"  The rest cannot be told: a plugin left something in it that nobody expects ({record['untold']})."
    yield from _who(record)
    yield from _what(record)
    yield from _travelled(record)
    if record.get("refusal"):
        yield from _why(record, page)
    if record.get("shortened"):
        yield ""
        yield f"  left out, because the line would have been too long: {', '.join(record['shortened'])}"


def _who(record: Record) -> Iterator[str]:
    if record.get("client"):
        yield _said("who calls", _caller(record["client"]))
    if parties := list(_parties(record)):
        yield _said("for whom" if len(parties) == 1 else "who acts", parties[0])
        for depth, party in enumerate(parties[1:]):
            yield _said("", f"{'   ' * depth}└─ for {party}")


def _caller(client: Mapping[str, Any]) -> str:
    if client.get("application"):
        return f"the application {client['id']}, by {kind(client['method'])}"
    if "id" in client:
        return "the subject, by its own token"
    method = f", by {kind(client['method'])}" if "method" in client else ""
    return f"somebody unproved{method}" + (f", who says to be {client['claimed']}" if "claimed" in client else "")


def _parties(record: Record) -> Iterator[str]:
    """Whoever acts, the latest first, each for the one below; at last the subject. Before it was allowed, the actor only wants to."""
    chain = [_name(party) for party in record.get("chain", ())]
    actor = record.get("actor", {})
    if not chain and actor:
        chain = [f"{_name(actor)}, who is not allowed to"]
    yield from chain
    if subject := record.get("subject"):
        yield _name(subject)


def _name(party: Mapping[str, Any]) -> str:
    if "subject" in party:
        return f"{party['subject']} of {party['issuer']}"
    return f"an unproved {kind(party.get('token_type', 'credential'))} (sha256 {party.get('sha256', '')[:12]}…)"


def _what(record: Record) -> Iterator[str]:
    if asked := record.get("asked"):
        yield _said("asked", "  ".join(_asked(asked)))
    if record.get("policy"):
        yield _said("policy", steps.policy(record["policy"]))
    if granted := record.get("granted"):
        scope = " ".join(granted.get("scope", ())) or "no scope"
        until = f"{granted.get('lifetime')} seconds, until {moment(granted.get('expires_at'))}"
        yield _said("granted", f"{scope}  for {' '.join(granted.get('audience', ()))}  {until}")
        yield _said("token", f"{granted.get('jti')}  ({kind(granted.get('token_type', 'access token'))}, signed with {granted.get('kid')})")


def _asked(asked: Mapping[str, Any]) -> Iterator[str]:
    yield " ".join(asked.get("scope", ())) or "no scope"
    yield f"for {' '.join(asked.get('targets', ())) or 'no target'}"
    if "ttl" in asked:
        yield f"for {asked['ttl']} seconds"
    if execution := asked.get("execution"):
        yield f"only to {execution.get('htm')} {execution.get('htu')}"
    if "token_type" in asked:
        yield f"as {kind(asked['token_type'])}"


def _travelled(record: Record) -> Iterator[str]:
    yield ""
    yield "  how it went"
    for name, time, words in steps.told(record):
        yield f"    {name:<11}{time:>12}  {words}"


def _why(record: Record, page: str) -> Iterator[str]:
    refusal = record["refusal"]
    reason = named(refusal["reason"])
    role = f", about the {refusal['role']}'s credential" if refusal.get("role") else ""
    yield ""
    yield f"  why: {refusal['reason']}{role}"
    yield _said("  said", refusal.get("said", ""))
    for name in ("expected", "seen"):
        yield from _each(f"  {name}", refusal.get(name))
    yield from _each("  only here", refusal.get("facts"))
    if reason is not None:
        yield ""
        yield "  what now"
        yield _said("  likely", reason.likely)
        yield _said("  do", reason.fix)
        yield _said("  read", _link(reason, page))


def _each(label: str, value: Any) -> Iterator[str]:
    """A value, one line for each of its members: names that differ in a letter stand under each other."""
    if value in (None, [], {}):
        return
    listed = [f"{name} {_plain(one)}" for name, one in value.items()] if isinstance(value, Mapping) else value
    for n, one in enumerate(listed if isinstance(listed, list) else [listed]):
        yield _said(label if n == 0 else "", _plain(one))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _said(label: str, text: str) -> str:
    return f"  {label:<12} {text}"
