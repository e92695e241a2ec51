"""`make chaos N=100`: rounds of trouble, a table for people, one line of JSON; ends with 1 where a promise was broken."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .evidence import COLUMNS
from .report import page, table
from .rounds import Round, played
from .stage import Stage
from .trouble import TROUBLES

PAGE = Path(__file__).parents[2] / "docs/explanation/reliability.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=100)
    parser.add_argument("--server", choices=["hypercorn", "uvicorn"], default="hypercorn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cambist-chaos-") as folder:
        rounds = run(Stage(Path(folder), workers=args.workers, server=args.server), args.rounds, random.Random(args.seed))
    told = table(rounds)
    sys.stdout.write(told + "\n" + json.dumps(summary(rounds)) + "\n")
    if args.page:
        PAGE.write_text(page(rounds, args.workers, args.server), "utf-8")
    sys.exit(0 if all(one.well for one in rounds) else 1)


def run(stage: Stage, rounds: int, chance: random.Random) -> list[Round]:
    """Every trouble in turn, so that few rounds have met all of them."""
    stage.start()
    try:
        return [_told(played(stage, trouble, chance)) for trouble in itertools.islice(itertools.cycle(TROUBLES), rounds)]
    finally:
        stage.stop()


def _told(one: Round) -> Round:
    sys.stderr.write(f"{one.trouble:44} back after {one.back:5.2f} s  {one.tokens:5} tokens  {'kept' if one.well else one.broken}\n")
    return one


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Each column's sum over all rounds, and the longest time without service."""
    counts = {column: sum(one.broken[column] for one in rounds) for column in COLUMNS}
    return {"rounds": len(rounds), **counts, "back_max_s": round(max(one.back for one in rounds), 2)}


if __name__ == "__main__":
    main()
