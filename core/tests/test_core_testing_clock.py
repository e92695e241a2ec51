"""The clock that several processes share: it stands where it was put, or runs, and all of them read one time."""

from __future__ import annotations

import time

import pytest

from cambist.testing import serving
from cambist.testing.clock import NOON
from cambist.testing.serving import SharedClock, serve


def test_it_stands_until_it_is_moved_for_everybody_who_has_it() -> None:
    here = SharedClock()
    there = SharedClock.at(here.descriptor)
    assert here() == there() == here.now == NOON
    there.move(60)
    assert here() == NOON + 60
    here.now = 1000.0
    assert there() == there.now == 1000.0


def test_it_runs_ahead_of_the_real_one_until_it_is_made_to_stand() -> None:
    running = SharedClock.running(3600)
    assert 3599 < running() - time.time() < 3601
    running.move(-3600)
    assert -1 < running() - time.time() < 1
    running.now = NOON
    assert running() == NOON


def test_where_nothing_can_host_a_service_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "GROUP", "cambist.nobody")
    with pytest.raises(ModuleNotFoundError, match="install cambist-hostapp"), serve({}):
        pass
