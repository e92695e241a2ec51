"""How promises are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from habits.rows import Outcome, Proof, Standing, State, expected, lines, page, standings


def _test(*outcomes_by_row: tuple[str, str | None, Outcome]) -> list[Proof]:
    return [Proof(*proof) for proof in outcomes_by_row]


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([], "none"),
        (["skipped"], "skipped"),
        (["passed"], "proved"),
        (["skipped", "passed"], "proved"),
        (["passed", "failed"], "failed"),
        (["skipped", "failed"], "failed"),
    ],
)
def test_the_worst_outcome_decides_but_a_skipped_test_takes_nothing_away(outcomes: list[Outcome], state: State) -> None:
    found = standings(["A"], [_test(("A", None, outcome)) for outcome in outcomes])
    assert found == {"A": Standing(state=state, real=(), tests=len(outcomes))}


def test_a_real_part_counts_only_where_its_test_passed() -> None:
    tests = [_test(("A", "opa", "passed")), _test(("A", "curl", "skipped")), _test(("A", "node", "failed")), _test(("A", None, "passed"))]
    assert standings(["A"], tests)["A"] == Standing(state="failed", real=("opa",), tests=4)


def test_a_test_that_names_a_row_twice_with_two_parts_is_one_test() -> None:
    assert standings(["A"], [_test(("A", "b", "passed"), ("A", "a", "passed"))])["A"] == Standing(state="proved", real=("a", "b"), tests=1)


def test_rows_do_not_borrow_from_each_other() -> None:
    found = standings(["A", "B"], [_test(("A", "opa", "passed"), ("B", None, "passed")), _test(("B", None, "failed"))])
    assert found["A"] == Standing(state="proved", real=("opa",), tests=1)
    assert found["B"] == Standing(state="failed", real=(), tests=2)


def test_each_row_has_a_line_and_the_last_line_is_json() -> None:
    rows = {"A": Standing(state="proved", real=("opa",), tests=2), "Long-id": Standing(state="none", real=(), tests=0)}
    told = lines(rows)
    assert [line.split()[:2] for line in told[:-1]] == [["A", "proved"], ["Long-id", "none"]]
    assert json.loads(told[-1]) == {
        "rows": {"A": {"state": "proved", "real": ["opa"], "tests": 2}, "Long-id": {"state": "none", "real": [], "tests": 0}}
    }


def test_the_page_has_every_row_with_its_sentence() -> None:
    rows = {"A": Standing(state="proved", real=("opa",), tests=2), "B": Standing(state="none", real=(), tests=0)}
    written = page(rows, {"A": "It works.", "B": "It will."})
    assert "| A | It works. | ✓ proved | opa | 2 |" in written
    assert "| B | It will. | – no test | – | 0 |" in written


def test_the_published_page_has_the_rows_that_are_expected(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--rows"):
        pytest.skip("it is being written")
    root = pytestconfig.rootpath
    sentences = expected(root / "tests" / "rows.toml")
    published = (root / "docs" / "reference" / "conformance.md").read_text("utf-8")
    cells = [line.split(" | ")[:2] for line in published.splitlines() if line.startswith("| ") and not line.startswith("| row ")]
    assert [(name.removeprefix("| "), sentence) for name, sentence in cells] == list(sentences.items()), "stale: make rows"


def test_a_project_without_the_file_expects_no_rows(tmp_path: Path) -> None:
    assert expected(tmp_path / "rows.toml") == {}
