"""`make chaos N=100`: rounds of trouble, a table for people, one line of JSON; ends with 1 where a promise was broken or a bound passed."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .disk import mounted
from .evidence import Evidence
from .judging import COLUMNS, judged
from .report import page, table
from .rounds import BACK, REVOKED, Round, played
from .stage import Stage
from .trouble import TROUBLES, Trouble

ALL = 1_000_000
PAGE = Path(__file__).parents[2] / "docs/explanation/reliability.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=100)
    parser.add_argument("--server", choices=["hypercorn", "uvicorn"], default="hypercorn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cambist-chaos-") as folder, mounted(Path(folder)) as small:
        _compiled(Path(folder))
        rounds = run(Stage(Path(folder), workers=args.workers, server=args.server), args.rounds, random.Random(args.seed))
    disk = "a tmpfs that runs full" if small else "a disk whose files may not grow where it is to be full: no tmpfs could be mounted"
    told = table(rounds)
    sys.stdout.write(told + "\n" + json.dumps(summary(rounds)) + "\n")
    if args.page:
        machine = f"on {os.cpu_count()} cores with {os.getloadavg()[2]:.0f} processes at work on average"
        PAGE.write_text(page(rounds, args.workers, args.server, disk, machine), "utf-8")
    sys.exit(0 if all(one.well for one in rounds) else 1)


def run(stage: Stage, rounds: int, chance: random.Random, troubles: Sequence[Trouble] = TROUBLES) -> list[Round]:
    """Every trouble in turn, so that few rounds have met all of them; each round looks at what all before it left."""
    stage.start()
    before, done = Evidence(), []
    try:
        for trouble in itertools.islice(itertools.cycle(troubles), rounds):
            evidence = Evidence(before=before)
            done.append(_told(played(stage, trouble, chance, evidence)))
            before = evidence.carried()
        return [*done[:-1], replace(done[-1], broken=_sum(done[-1].broken, judged(stage, Evidence(before=before, sample=ALL))))]
    finally:
        stage.stop()


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {column: count + other[column] for column, count in one.items()}


def _compiled(folder: Path) -> None:
    """The bytecode of our modules is kept, as pip does for a service that is installed; else each start compiles them anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")


def _told(one: Round) -> Round:
    state = "kept" if one.kept else str(one.broken)
    sys.stderr.write(
        f"{one.trouble:44} back after {one.back:5.2f} s, revoked after {one.effective:4.2f} s  {one.tokens:5} tokens  {state}\n"
    )
    return one


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Each column's sum over all rounds, and the longest times, with the number of rounds that passed a bound."""
    counts = {column: sum(one.broken[column] for one in rounds) for column in COLUMNS}
    late = sum(one.back > BACK or one.effective > REVOKED for one in rounds)
    longest = {"back_max_s": round(max(one.back for one in rounds), 2), "revoked_max_s": round(max(one.effective for one in rounds), 2)}
    return {"rounds": len(rounds), **counts, "late": late, **longest}


if __name__ == "__main__":
    main()
