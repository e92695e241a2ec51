"""What a plugin raises is told in words, whatever it does when it is asked for them."""

from __future__ import annotations

import asyncio

import pytest

from cambist.errors import PluginFault
from cambist.fence import fenced, is_its_own, words


class Mute(Exception):
    """An error that fails to say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("not now")


def test_an_error_that_cannot_be_told_is_told_as_that() -> None:
    assert words(ValueError("the disk is full")) == "the disk is full"
    assert words(Mute()) == "(it cannot be told)"


def test_a_plugin_that_raises_what_cannot_be_told_is_blamed_all_the_same() -> None:
    with pytest.raises(PluginFault) as refused, fenced("hostile"):
        raise Mute
    assert (refused.value.plugin, refused.value.facts["cause"]) == ("hostile", "Mute")


async def test_a_cancellation_is_a_plugins_own_unless_somebody_asked_for_it() -> None:
    assert is_its_own(asyncio.CancelledError())
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await asyncio.sleep(0)
    assert not is_its_own(raised.value)
    task.uncancel()
