"""What stands between the story and what keeps: the plugin is named, whatever it does, and only the operator passes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cambist.errors import PluginFault
from cambist.kept import KeptKeys, KeptObserver, KeptStore
from cambist.keys import EphemeralKeys
from cambist.store import MemoryStore
from cambist.testing import MovableClock


async def test_a_counter_counts_and_what_is_no_number_is_a_fault_of_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptStore("hostile", store := MemoryStore(MovableClock()))
    assert [await kept.count("visits", ttl=60) for _ in range(3)] == [1, 2, 3]

    async def many(key: str, *, ttl: float) -> Any:
        return "many"

    monkeypatch.setattr(store, "count", many)
    with pytest.raises(PluginFault) as refused:
        await kept.count("visits", ttl=60)
    assert refused.value.plugin == "hostile"


async def test_keys_are_rotated_and_a_rotation_that_fails_is_a_fault_of_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptKeys("hostile", keys := EphemeralKeys(MovableClock()))
    before = (await kept.signing("default")).kid
    assert (await kept.rotate("default")).kid == (await kept.signing("default")).kid
    assert before in {key["kid"] for key in await kept.published("default")}
    await kept.rotate("default", compromised=True)
    assert before not in {key["kid"] for key in await kept.published("default")}

    async def broken(zone_id: str, *, compromised: bool) -> Any:
        raise OSError("disk")

    monkeypatch.setattr(keys, "rotate", broken)
    with pytest.raises(PluginFault) as refused:
        await kept.rotate("default")
    assert refused.value.plugin == "hostile"


class Moody:
    """An observer that says as the test likes whether its word is needed."""

    def __init__(self, says: Callable[[], Any]) -> None:
        self.says = says

    @property
    def required(self) -> Any:
        return self.says()

    async def observe(self, record: Any) -> None:
        raise AssertionError("nothing was decided")


def raising(error: BaseException) -> Callable[[], Any]:
    def says() -> Any:
        raise error

    return says


def test_an_observer_that_cannot_say_whether_it_is_needed_is_needed() -> None:
    for says, needed in ((lambda: True, True), (lambda: False, False), (raising(OSError()), True), (raising(SystemExit()), True)):
        assert KeptObserver("hostile", Moody(says)).required is needed


def test_the_operators_interrupt_is_no_answer_of_an_observer() -> None:
    with pytest.raises(KeyboardInterrupt):
        _ = KeptObserver("hostile", Moody(raising(KeyboardInterrupt()))).required
