"""What takes long is done once for all processes that are forked later, and not kept for ever."""

from __future__ import annotations

import pytest

from cambist import heirloom as module
from cambist.heirloom import KEPT, heirloom, heirlooms, inherit


@pytest.fixture(autouse=True)
def nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})


def test_what_was_made_is_made_once() -> None:
    made: list[str] = []

    def make() -> bytes:
        made.append("once")
        return b"compiled"

    assert [heirloom("rules 1", make) for _ in range(3)] == [b"compiled"] * 3
    assert made == ["once"]
    assert heirlooms() == {"rules 1": b"compiled"}


def test_what_was_handed_down_is_not_made() -> None:
    inherit({"rules 1": b"compiled elsewhere"})
    assert heirloom("rules 1", lambda: pytest.fail("it was made again")) == b"compiled elsewhere"


def test_what_fails_leaves_nothing() -> None:
    def broken() -> bytes:
        raise ValueError("not a module")

    with pytest.raises(ValueError, match="not a module"):
        heirloom("rules 1", broken)
    assert not heirlooms()


def test_those_of_long_ago_go_first() -> None:
    for number in range(KEPT + 3):
        heirloom(f"rules {number}", lambda: b"")
    assert list(heirlooms()) == [f"rules {number}" for number in range(3, KEPT + 3)]
