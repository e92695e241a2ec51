"""`make attacks`: plays every set of a folder, and prints a table for people and a last line for programs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .corpus import Corpus, NotACorpus, corpora
from .dialogue import Run
from .differences import differences
from .plugins import variants
from .sets import play_of
from .standing import real
from .tally import Tally, table

SHARED = Path("../shared/corpora")
OWN, COPIES = Path(__file__).parent / "corpora", Path(__file__).parent / "copies"
"""Sets that are always played, and those that are where the shared ones are not at hand."""
SHOWN = 25
"""How many of the things that were not as they should be are shown of one set."""


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when every set is as it should be."""
    parser = argparse.ArgumentParser(prog="make attacks", description=__doc__)
    parser.add_argument("--corpora", type=Path, default=SHARED if SHARED.is_dir() else COPIES, help="a folder of sets")
    parser.add_argument("--server", choices=("hypercorn", "uvicorn"), default="hypercorn")
    parser.add_argument("--rounds", type=int, default=20, help="how often each race is run")
    parser.add_argument("--sample", type=int, default=1, help="one of so many strings, where only cleanliness is asked")
    parser.add_argument("--only", action="append", default=[], help="only the set of this name, and its variants")
    given = parser.parse_args(arguments)
    try:
        sets = [variant for folder in (given.corpora, OWN) for corpus in corpora(folder) for variant in variants(corpus)]
    except NotACorpus as error:
        print(f"make attacks: {error}", file=sys.stderr)
        return 2
    run = Run(real(given.server), rounds=given.rounds, sample=given.sample, differences=differences())
    wanted = [corpus for corpus in sets if not given.only or {corpus.name, corpus.folder.name} & set(given.only)]
    tallies = asyncio.run(played(wanted, run))
    print("\n".join(table(tallies)))
    print(json.dumps({tally.name: tally.document() for tally in tallies}))
    return 0 if tallies and all(tally.good for tally in tallies) else 1


async def played(sets: Sequence[Corpus], run: Run) -> list[Tally]:
    """All sets, one after the other; what is told of each on the way is for people."""
    tallies = []
    for corpus in sets:
        begun = time.perf_counter()
        try:
            tally = await play_of(corpus)(corpus, run)
        except Exception as error:  # one set that cannot be played must not hide what the others show
            tally = Tally(corpus.name, controls=False, told=[f"the set cannot be played: {type(error).__name__}: {error}"])
        tallies.append(tally)
        print(f"{corpus.name}: {time.perf_counter() - begun:.1f} s", file=sys.stderr)
        for line in tally.told[:SHOWN]:
            print(f"  {line}", file=sys.stderr)
    return tallies


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
