"""A run of troubles as a table, and as the page that says what a service can be relied on for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import groupby

from .evidence import COLUMNS
from .rounds import Round

INTRODUCTION = """\
# Reliability

<!-- Written by `make chaos ARGS=--page`, from a run. -->

What is acknowledged is kept, and what cannot be kept is refused. `make chaos N={rounds}` kills, starves and misleads a service of
{workers} workers ({server}, embedded defaults) while clients exchange tokens, spend assertions that are accepted once, and an
administrator revokes; afterwards it counts what was promised and not kept. This page is the last run.

- *lost revocations*: tokens whose revocation was acknowledged, and that are accepted all the same
- *accepted twice*: assertions that were accepted, and are accepted again
- *broken keys*: tokens that the published keys do not verify
- *tokens without a line*: tokens that were handed out, and whose decision is not in the ledger
- *ledger damage*: what `cambist audit verify` finds; the unclosed end of a killed process is none
- *back*: seconds until a token is issued, from a kill, else from the end of the trouble; a service that was killed whole is started
  again at once, as whatever looks after the machine would do

"""

LIMITS = """
A power cut is another thing: see [durability](durability.md).
"""


def table(rounds: Sequence[Round]) -> str:
    """One row for each trouble, and one for all."""
    head = ["trouble", "rounds", "tokens", "spent once", "revoked", *COLUMNS, "back, median", "back, longest"]
    by_trouble = sorted(rounds, key=lambda one: one.trouble)
    rows = [_row(name, list(several)) for name, several in groupby(by_trouble, key=lambda one: one.trouble)]
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows, _row("**all**", rounds)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, rounds: Sequence[Round]) -> list[str]:
    sums = [len(rounds), *(sum(getattr(one, what) for one in rounds) for what in ("tokens", "once", "revoked"))]
    broken = [sum(one.broken[column] for one in rounds) for column in COLUMNS]
    backs = [one.back for one in rounds]
    return [name, *map(str, [*sums, *broken]), f"{statistics.median(backs):.2f}", f"{max(backs):.2f}"]


def page(rounds: Sequence[Round], workers: int, server: str) -> str:
    return INTRODUCTION.format(rounds=len(rounds), workers=workers, server=server) + table(rounds) + "\n" + LIMITS
