"""A run of troubles as a table, and as the page that says what a service can be relied on for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import groupby

from .judging import COLUMNS
from .rounds import BACK, REVOKED, Round

INTRODUCTION = """\
# Reliability

<!-- Written by `make chaos ARGS=--page`, from a run. -->

What is acknowledged is kept, and what cannot be kept is refused. `make chaos N={rounds}` kills, starves and misleads a service of
{workers} workers ({server}, embedded defaults, {disk}) while clients exchange tokens, spend
assertions and nonces that are accepted once, send them again, and an administrator revokes; afterwards it counts what was promised and not
kept, of this round and, by samples, of all rounds before; at the end everything is asked again. It fails when any of it was not kept, or
when a time is above its bound. This page is the last run, {machine}.

- *unanswered*: single-use requests that were being answered when their worker was killed; each is sent again, and then again
- *lost revocations*: tokens whose revocation was acknowledged, and that are accepted all the same
- *accepted twice*: assertions and nonces that were accepted, and are accepted again, during the trouble or after it
- *broken keys*: tokens that the published keys do not verify
- *tokens without a line*: tokens that were handed out, and whose decision is not in the ledger
- *ledger damage*: what `cambist audit verify` finds; the unclosed end of a killed process is none
- *revoked after*: the longest time, in seconds, from when `cambist revoke` says so until no worker accepts the token; at most {revoked:g}
- *back*: seconds until a token is issued, from a kill, else from the end of the trouble; at most {back:g}. A service that was killed
  whole is started again at once, as whatever looks after the machine would do

"""

LIMITS = """
What a clock may do meanwhile is in [ADR 0019](../adr/0019-what-a-leaping-clock-may-forget.md). A power cut is another thing: see
[durability](durability.md).
"""


def table(rounds: Sequence[Round]) -> str:
    """One row for each trouble, and one for all."""
    head = [
        "trouble",
        "rounds",
        "tokens",
        "spent once",
        "unanswered",
        "revoked",
        *COLUMNS,
        "revoked after",
        "back, median",
        "back, longest",
    ]
    by_trouble = sorted(rounds, key=lambda one: one.trouble)
    rows = [_row(name, list(several)) for name, several in groupby(by_trouble, key=lambda one: one.trouble)]
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows, _row("**all**", rounds)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, rounds: Sequence[Round]) -> list[str]:
    sums = [len(rounds), *(sum(getattr(one, what) for one in rounds) for what in ("tokens", "once", "unanswered", "revoked"))]
    broken = [sum(one.broken[column] for one in rounds) for column in COLUMNS]
    backs = [one.back for one in rounds]
    times = [max(one.effective for one in rounds), statistics.median(backs), max(backs)]
    return [name, *map(str, [*sums, *broken]), *(f"{seconds:.2f}" for seconds in times)]


def page(rounds: Sequence[Round], workers: int, server: str, disk: str, machine: str) -> str:
    """`machine` says what else it had to do: a service that starts beside ten others is back ten times as late."""
    said = {"rounds": len(rounds), "workers": workers, "server": server, "disk": disk, "machine": machine}
    return INTRODUCTION.format(**said, back=BACK, revoked=REVOKED) + table(rounds) + "\n" + LIMITS
