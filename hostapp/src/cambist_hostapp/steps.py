"""Each step of a decision in words: what it took, and what came of it; also of the step that left no trace because it refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]

ORDER = (
    "request",
    "zone",
    "possession",
    "client",
    "subject",
    "targets",
    "actor",
    "delegation",
    "question",
    "standing",
    "policy",
    "ruling",
    "key",
    "draft",
    "spend",
    "mint",
)
"""The steps as exchange.py takes them. Those that only compute are not in the ledger when they refuse: they come after the last that is."""

DIALECTS = {"oauth": "the form endpoint", "v1": "the JSON endpoint"}


def refusing(record: Record) -> str | None:
    """The step that ended it; None for a permit, and where the steps were left out of the line."""
    if record.get("outcome") == "permitted" or "steps" in record.get("shortened", ()):
        return None
    steps = record.get("steps", ())
    last = steps[-1] if steps else {"name": "", "outcome": ""}
    if last.get("outcome") in ("refused", "failed"):
        return str(last["name"])
    following = ORDER[ORDER.index(last["name"]) + 1 :] if last["name"] in ORDER else ORDER
    return next((name for name in following if name != "actor" or "actor" in record), None)


def told(record: Record) -> Iterator[tuple[str, str, str]]:
    """For each step its name, its time, and its words; at last those that were not taken."""
    ended, steps = refusing(record), record.get("steps", ())
    for step in steps:
        yield step["name"], f"{step.get('microseconds', 0):,} µs", _words(record, step)
    if ended is None:
        return
    if ended not in {step["name"] for step in steps}:
        yield ended, "", f"REFUSED: {record.get('reason', '')}"
    if ended in ORDER and (left := ORDER[ORDER.index(ended) + 1 :]):
        yield "not taken", "", ", ".join(name for name in left if name != "actor" or "actor" in record)


def _words(record: Record, step: Mapping[str, Any]) -> str:
    outcome = step.get("outcome", "")
    if outcome == "refused":
        return f"REFUSED: {step.get('reason', '')}"
    if outcome == "failed":
        return f"was ended by {step.get('reason', '')}"
    words = _WORDS.get(step["name"])
    return words(record, outcome) if words else str(outcome)


def kind(token_type: object) -> str:
    """The end of a type's name, which is what tells it from the others."""
    return str(token_type).rpartition(":")[2]


def moment(seconds: object) -> str:
    """A time of a token, for people."""
    if isinstance(seconds, int | float) and 0 < seconds < 1e11:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return str(seconds)


def _request(record: Record, outcome: str) -> str:
    grant = kind(record.get("grant_type", "")).replace("-", " ").replace("_", " ")
    return f"{grant}, sent to {DIALECTS.get(record.get('dialect', ''), 'an endpoint')}"


def _client(record: Record, outcome: str) -> str:
    client = record.get("client", {})
    if outcome == "nothing":
        return "no application: the subject's own token must prove who calls"
    return f"took a {kind(client.get('method'))}: it is the application {client.get('id')}"


def _party(name: str) -> Callable[[Record, str], str]:
    def words(record: Record, outcome: str) -> str:
        party = record.get(name, {})
        taken = (
            f"took a {kind(party['token_type'])} (sha256 {party.get('sha256', '')[:12]}…)" if "token_type" in party else "the application"
        )
        until = f", until {moment(party['expires_at'])}" if "expires_at" in party else ""
        return f"{taken}: {party.get('subject')} of {party.get('issuer')}{until}"

    return words


def _targets(record: Record, outcome: str) -> str:
    asked = " ".join(record.get("asked", {}).get("targets", ()))
    return f"took {asked}" if asked else f"took the default: {outcome}"


def _delegation(record: Record, outcome: str) -> str:
    return "nobody acts for the subject" if outcome == "nothing" else f"{record['chain'][0]['subject']} may act for the subject"


def _policy(record: Record, outcome: str) -> str:
    return f"{record.get('policy', {}).get('name', 'it')} says {outcome}"


def policy(answer: Mapping[str, Any]) -> str:
    """What was answered, by which rules, and why."""
    parts = [f"{answer.get('name', 'the policy')}, revision {answer.get('revision', 'unknown')}: {answer.get('answer', 'no answer')}"]
    parts += [f"because {'; '.join(answer['reasons'])}"] if answer.get("reasons") else []
    parts += [f"{name} {_plain(answer[name])}" for name in ("scope", "targets", "ttl", "claims") if answer.get(name)]
    return ", ".join(parts)


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _ruling(record: Record, outcome: str) -> str:
    granted = record.get("granted")
    if granted is None:
        return "narrowed to what was asked, allowed and proven"
    return f"narrowed to scope {' '.join(granted.get('scope', ())) or '(none)'}, for {granted.get('lifetime')} seconds"


def _always(said: str) -> Callable[[Record, str], str]:
    return lambda _record, _outcome: said


def _mint(record: Record, outcome: str) -> str:
    return f"a token was signed: {record.get('granted', {}).get('jti')}"


def _key(record: Record, outcome: str) -> str:
    kid = record.get("granted", {}).get("kid")
    return f"it is signed with {kid}" if kid else "there is one to sign with"


_WORDS: Mapping[str, Callable[[Record, str], str]] = {
    "request": _request,
    "zone": lambda record, _outcome: f"{record.get('zone')} is open",
    "possession": _always("looked for keys that the request proves to hold"),
    "client": _client,
    "subject": _party("subject"),
    "actor": _party("actor"),
    "targets": _targets,
    "delegation": _delegation,
    "question": _always("put together for the policy"),
    "standing": _always("nothing and nobody that is named was revoked"),
    "policy": _policy,
    "ruling": _ruling,
    "key": _key,
    "draft": _always("the claims of the token"),
    "spend": _always("whatever is good once is spent"),
    "mint": _mint,
}
