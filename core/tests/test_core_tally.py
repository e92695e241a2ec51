"""Numbers that processes share: each adds to its own row, a successor goes on, and the sum is the same for all."""

from __future__ import annotations

import multiprocessing

import pytest

from cambist.web.tally import ENTRIES, KEY, Tallies


def test_numbers_are_summed_over_rows() -> None:
    tallies = Tallies(3)
    tallies.row(0).add(("a", "x"))
    tallies.row(2).add(("a", "x"), 2.5)
    tallies.row(2).add(("b",))
    assert tallies.total() == {("a", "x"): 3.5, ("b",): 1}


def test_a_successor_goes_on_from_what_its_row_holds() -> None:
    tallies = Tallies()
    tallies.row(0).add(("a",), 5)
    successor = tallies.row(0)
    successor.add(("a",))
    successor.add(("b",))
    assert tallies.total() == {("a",): 6, ("b",): 1}


def test_a_key_may_have_empty_parts_and_other_than_ascii() -> None:
    tallies = Tallies()
    keys = [("a", "", "é"), ("a", "é", ""), ("", "a")]
    for key in keys:
        tallies.row(0).add(key)
    assert tallies.total() == dict.fromkeys(keys, 1)


def test_a_row_that_is_full_counts_what_it_knows_and_breaks_nothing() -> None:
    tallies = Tallies(2)
    row = tallies.row(0)
    for number in range(ENTRIES + 50):
        row.add((f"key {number}",))
    row.add(("key 0",))
    tallies.row(1).add(("other",))
    total = tallies.total()
    assert len(total) == ENTRIES  # one entry of the row says how many there are
    assert (total[("key 0",)], total[("other",)]) == (2, 1)


def test_a_key_that_is_too_long_is_not_counted() -> None:
    tallies = Tallies()
    tallies.row(0).add(("x" * (KEY + 1),))
    tallies.row(0).add(("x" * KEY,))
    assert tallies.total() == {("x" * KEY,): 1}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_another_process_adds_is_seen_here_also_after_it_was_killed() -> None:
    tallies = Tallies(2)
    ready = multiprocessing.get_context("fork").Event()

    def work() -> None:
        tallies.row(1).add(("a",), 3)
        ready.set()
        multiprocessing.Event().wait()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        assert ready.wait(10)
    finally:
        process.kill()
        process.join()
    tallies.row(0).add(("a",))
    assert tallies.total() == {("a",): 4}
