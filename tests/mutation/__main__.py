"""`make mutation ARGS="cambist.guard"`: tries every mutant of the modules in modules.toml, or of those that are named."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from .forked import Tell, forked
from .live import Hook
from .mutant import Mutant, changed, mutants
from .tally import Tally
from .trial import ALIVE, KILLED, LATE, Trial, Verdict, arguments

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOREIGN = ("hypothesis", "quart", "httpx", "pydantic", "joserfc.jwt", "cryptography.x509", "argon2", "msgspec", "authlib", "click")
"""What is imported once for all mutants. Nothing of ours: that must be imported anew."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--tables", type=Path, default=HERE, help="the folder of modules.toml and equivalent.toml")
    args = parser.parse_args()
    known, equivalent = (tomllib.loads((args.tables / name).read_text()) for name in ("modules.toml", "equivalent.toml"))
    for name in FOREIGN:
        importlib.import_module(name)
    good = True
    with tempfile.TemporaryDirectory(prefix="cambist-mutation-") as scratch:
        for module in args.modules or known:
            tally = Tally(module, equivalent.get(module, {}), partial=bool(args.only))
            _try(module, known[module]["tests"], tally, args.only, scratch)
            good = tally.close() and good
    sys.exit(not good)


def _try(module: str, files: list[str], tally: Tally, only: str, scratch: str) -> None:
    filename = _origin(module)
    source = Path(filename).read_text()
    chosen = [mutant for mutant in mutants(source) if only in mutant.name]
    within = [mutant for mutant in chosen if mutant.function is not None]
    said = forked(lambda tell: tell(_tried(source, filename, within, files, scratch)), limit=6 * 3600)
    assert said is not None, f"the tests of {module} could not be run"
    for name, outcome, by in said["judged"]:
        tally.judge(name, outcome, by)
    tally.broken = said["broken"]
    rest, asked = set(said["rest"]), [*files, *(f"--deselect={test}" for test in tally.broken)]
    for mutant in chosen:
        if mutant.function is None or mutant.name in rest:
            tally.judge(mutant.name, *_imported(module, source, mutant, asked, scratch))


def _origin(module: str) -> str:
    """Where a module lives; it is found in a child, because its packages are imported for that."""

    def find(tell: Tell) -> None:
        spec = find_spec(module)
        tell(spec.origin if spec else None)

    origin = forked(find, limit=60)
    assert isinstance(origin, str), f"there is no {module}"
    return origin


def _tried(source: str, filename: str, within: list[Mutant], files: list[str], scratch: str) -> dict[str, list[object]]:
    judged: list[object] = []

    def judge(mutant: Mutant, outcome: str, by: str) -> None:
        judged.append((mutant.name, outcome, by))
        print(f"{outcome:9} {mutant.name}  {by}", file=sys.__stderr__, flush=True)

    trial = Trial(source, filename, within, judge)
    _silent(1)
    _fixed()
    pytest.main(arguments(files, scratch), plugins=[trial])
    return {"judged": judged, "rest": [mutant.name for mutant in trial.rest], "broken": list(trial.broken)}


def _imported(module: str, source: str, mutant: Mutant, files: list[str], scratch: str) -> tuple[str, str]:
    """The verdict on a mutant that is imported: pytest begins anew with it."""

    def work(tell: Tell) -> None:
        _silent(1, 2)
        _fixed()
        Hook(module, changed(source, mutant)).install()
        code = pytest.main(arguments(files, scratch), plugins=[Verdict(tell)])
        tell((ALIVE if code == pytest.ExitCode.OK else KILLED, f"pytest said {code!r}"))

    told = forked(work, limit=300)
    return (LATE, "") if told is None else (told[0], told[1])


def _fixed() -> None:
    """Properties draw the same examples each time, and remember none of them in the tree."""
    from hypothesis import settings

    settings.register_profile("mutation", derandomize=True, database=None)
    settings.load_profile("mutation")


def _silent(*streams: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
