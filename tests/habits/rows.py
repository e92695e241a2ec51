"""The promises of tests/rows.toml, and how each stands after a run of all tests."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

State = Literal["failed", "proved", "skipped", "none"]
Outcome = Literal["failed", "passed", "skipped"]

NOTE = "<!-- Written by `make rows` from the tests that ran: change the tests or tests/rows.toml, then run it again. -->"
SYMBOLS: Mapping[str, str] = {"failed": "✗ failed", "proved": "✓ proved", "skipped": "– skipped", "none": "– no test"}


class Proof(NamedTuple):
    """One finished test that names a row: `real` is the real part that it used, if it used one."""

    row: str
    real: str | None
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one promise stands: by how many tests, and against which real parts."""

    state: State
    real: tuple[str, ...]
    tests: int


def expected(file: Path) -> Mapping[str, str]:
    """Each expected id with its sentence; none where the project has no such file."""
    if not file.is_file():
        return {}
    rows = tomllib.loads(file.read_text("utf-8"))["rows"]
    return {str(name): str(sentence) for name, sentence in rows.items()}


def standings(ids: Iterable[str], proofs: Iterable[Iterable[Proof]]) -> dict[str, Standing]:
    """One standing for each id; `proofs` has, for each test, what it proves (a row can be named several times, with several parts)."""
    tests = [tuple(test) for test in proofs]
    return {name: _standing([[proof for proof in test if proof.row == name] for test in tests]) for name in ids}


def _standing(tests: list[list[Proof]]) -> Standing:
    tests = [test for test in tests if test]
    outcomes = {test[0].outcome for test in tests}
    parts = {proof.real for test in tests for proof in test if proof.real is not None and proof.outcome == "passed"}
    return Standing(state=_state(outcomes), real=tuple(sorted(parts)), tests=len(tests))


def _state(outcomes: set[Outcome]) -> State:
    """One failed test outweighs every other; one that passed outweighs those that were skipped."""
    if "failed" in outcomes:
        return "failed"
    if "passed" in outcomes:
        return "proved"
    return "skipped" if outcomes else "none"


def lines(rows: Mapping[str, Standing]) -> list[str]:
    """One line for each row, then one line of JSON."""
    width = max(map(len, rows), default=0)
    told = [f"{name:<{width}}  {row.state:<7}  {row.tests:>3} tests  {', '.join(row.real)}".rstrip() for name, row in rows.items()]
    members = {name: {"state": row.state, "real": list(row.real), "tests": row.tests} for name, row in rows.items()}
    return [*told, json.dumps({"rows": members})]


def page(rows: Mapping[str, Standing], sentences: Mapping[str, str]) -> str:
    """The same for readers: docs/reference/conformance.md."""
    head = [
        NOTE,
        "# Conformance",
        "",
        "What Cambist promises, and which of it the tests prove. A promise is *proved* when a test of it passed and none failed.",
        "*Real parts* are the third-party programs that passing tests used. Where one is absent, its tests are skipped and prove nothing.",
        "",
        "| row | promise | state | real parts | tests |",
        "|---|---|---|---|--:|",
    ]
    body = [f"| {n} | {sentences[n]} | {SYMBOLS[r.state]} | {', '.join(r.real) or '–'} | {r.tests} |" for n, r in rows.items()]
    return "\n".join([*head, *body, ""])
