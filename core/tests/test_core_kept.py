"""What stands between the story and what keeps: the plugin is named, whatever it does, and only the operator passes through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cambist import Record
from cambist.audit import DONE
from cambist.errors import DeadlineExceeded, PluginFault
from cambist.kept import PATIENCE, KeptKeys, KeptObserver, KeptStore
from cambist.keys import EphemeralKeys, SigningKey
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist.trace import Trace


async def test_a_counter_counts_and_what_is_no_number_is_a_fault_of_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptStore("hostile", store := MemoryStore(MovableClock()))
    assert [await kept.count("visits", ttl=60) for _ in range(3)] == [1, 2, 3]

    async def many(key: str, *, ttl: float) -> Any:
        return "many"

    monkeypatch.setattr(store, "count", many)
    with pytest.raises(PluginFault) as refused:
        await kept.count("visits", ttl=60)
    assert refused.value.plugin == "hostile"


async def test_a_swap_is_done_where_the_store_says_that_it_is_done_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptStore("hostile", store := MemoryStore(MovableClock()))
    assert await kept.swap("a", None, b"1") is True
    assert await kept.swap("a", None, b"2") is False
    assert await kept.swap("a", b"1", b"2") is True

    async def thinks(*_: object, **__: object) -> Any:
        return "nearly"

    monkeypatch.setattr(store, "swap", thinks)
    assert await kept.swap("a", b"2", b"3") is False


@pytest.mark.parametrize("member", ["d", "p", "k"])
async def test_a_key_that_would_be_published_with_its_private_half_is_a_fault_of_its_plugin(
    member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptKeys("hostile", keys := EphemeralKeys(MovableClock()))
    (public,) = await kept.published("default")

    async def careless(zone_id: str) -> Any:
        return ({**public, member: "AQAB"},)

    monkeypatch.setattr(keys, "published", careless)
    with pytest.raises(PluginFault) as refused:
        await kept.published("default")
    assert refused.value.facts["cause"] == "it would publish a private key"


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


class Signing:
    """A signing key that signs as the test says."""

    def __init__(self, key: SigningKey, signs: Callable[[bytes], Any]) -> None:
        self.kid, self.alg, self.signs = key.kid, key.alg, signs

    async def sign(self, message: bytes) -> Any:
        return self.signs(message)


@pytest.mark.parametrize(
    ("signature", "cause"),
    [
        (b"", "its key answered no signature"),
        ("a text", "its key answered no signature"),
        (None, "its key answered no signature"),
        (bytes(64), "its key does not sign as the one it publishes"),
    ],
)
async def test_a_key_whose_first_signature_nobody_could_verify_issues_nothing(
    signature: object, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptKeys("hostile", keys := EphemeralKeys(MovableClock()))
    good = await keys.signing("default")

    async def signing(zone_id: str) -> Any:
        return Signing(good, lambda _: signature)

    monkeypatch.setattr(keys, "signing", signing)
    with pytest.raises(PluginFault) as refused:
        await (await kept.signing("default")).sign(b"message")
    assert refused.value.facts["cause"] == cause
    assert not kept.proved


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


class Prompt:
    """An observer that waits for nothing; what it is told is its own."""

    required = True

    def __init__(self, holds: Callable[[], object] = lambda: None) -> None:
        self.holds, self.told = holds, list[Record]()

    def observe(self, record: Record) -> Awaitable[None]:
        self.holds()
        self.told.append(record)
        return DONE


RECORD = Record(decision_id="d", outcome="permitted", at=1.0, trace=Trace("d", 1.0))


def test_what_is_done_at_once_is_not_waited_for_and_each_observer_has_a_record_of_its_own() -> None:
    prompt = Prompt()
    assert KeptObserver("hostile", prompt).observe(RECORD) is DONE
    (told,) = prompt.told
    assert told == RECORD
    assert told is not RECORD


async def test_an_observer_that_held_everybody_up_has_not_kept_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("cambist.kept.monotonic", lambda: now[0])
    kept = KeptObserver("hostile", Prompt(lambda: now.__setitem__(0, now[0] + PATIENCE + 0.01)))
    with pytest.raises(DeadlineExceeded) as refused:
        kept.observe(RECORD)
    assert refused.value.facts["plugin"] == "hostile"


def test_an_observer_that_fails_at_once_is_a_fault_of_its_plugin() -> None:
    def fails() -> None:
        raise OSError("disk")

    with pytest.raises(PluginFault) as refused:
        KeptObserver("hostile", Prompt(fails)).observe(RECORD)
    assert refused.value.plugin == "hostile"
