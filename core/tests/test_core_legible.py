"""What a stranger wrote is shown without anything that a terminal obeys, and not at any length."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.legible import legible


@given(st.text(st.characters()))
def test_nothing_is_left_that_is_obeyed_and_not_seen(text: str) -> None:
    assert not {unicodedata.category(char) for char in legible(text, 100)} & {"Cc", "Zl", "Zp", "Cs"}


@pytest.mark.parametrize("char", ["\x1b", "\x00", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "\u061c"])
def test_each_of_them_leaves_a_mark(char: str) -> None:
    """CVE-2021-42574 among them: text that is read in another direction than it is written."""
    assert legible(f"a{char}b", 10) == "a\ufffdb"


def test_plain_words_of_any_language_stay() -> None:
    for text in ("plain", "naïve", "日本語", "עברית", "🙂"):
        assert legible(text, 100) == text


def test_what_is_too_long_is_cut_and_shows_it() -> None:
    assert legible("abcdef", 3) == "abc…"
    assert legible("abc", 3) == "abc"
