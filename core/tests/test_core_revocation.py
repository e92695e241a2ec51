"""Revocations: the store is the truth, each process's copy is half a second old at most, and what cannot be known is refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from cambist.errors import Unavailable
from cambist.revocation import EVERYWHERE, FRESH, Kind, Named, Revocation, Revocations
from cambist.store import MemoryStore
from cambist.testing import MovableClock

TOKEN = Revocation(zone="default", kind=Kind.TOKEN, parts=("https://issuer.test", "j"), at=1.0)
ISSUER = Revocation(zone=EVERYWHERE, kind=Kind.ISSUER, parts=("https://issuer.test",), at=2.0, reason="its keys leaked")


class Counting(MemoryStore):
    """A store that says how often it was asked, and can be broken."""

    asked = 0
    scanned = 0
    broken = False

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        self.asked += 1
        if self.broken:
            raise Unavailable(what="the store", cause="broken")
        await asyncio.sleep(0)
        return await super().get_many(keys)

    async def scan(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        self.scanned += 1
        async for pair in super().scan(prefix):
            yield pair


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be moved."""
    now = [1000.0]
    monkeypatch.setattr("cambist.revocation.monotonic", lambda: now[0])
    return now


@pytest.fixture
def store(clock: MovableClock) -> Counting:
    return Counting(clock)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


def named(revocation: Revocation) -> Named:
    return Named(revocation.kind, revocation.parts)


async def test_nothing_is_revoked_in_an_empty_store(store: Counting) -> None:
    revocations = Revocations(store)
    assert await revocations.any() is False
    assert revocations.among("default", [named(TOKEN)]) is None
    assert list(await revocations.all()) == []


async def test_what_is_revoked_is_known_here_at_once_and_elsewhere_within_the_second(store: Counting, passed: list[float]) -> None:
    here, there = Revocations(store), Revocations(store)
    assert await here.any() is await there.any() is False
    await here.revoke(TOKEN)
    assert await here.any() is True
    assert here.among("default", [named(ISSUER), named(TOKEN)]) == TOKEN
    passed[0] += FRESH
    assert await there.any() is True
    assert there.among("default", [named(TOKEN)]) == TOKEN
    assert FRESH < 1


async def test_it_survives_a_restart(store: Counting) -> None:
    await Revocations(store).revoke(TOKEN)
    assert list(await Revocations(store).all()) == [TOKEN]


async def test_a_zone_revokes_for_itself_and_the_service_for_all(store: Counting) -> None:
    revocations = Revocations(store)
    await revocations.revoke(TOKEN)
    await revocations.revoke(ISSUER)
    assert await revocations.any()
    assert revocations.among("other", [named(TOKEN)]) is None
    assert revocations.among("other", [named(ISSUER)]) == ISSUER
    assert list(await revocations.all()) == [ISSUER, TOKEN]


async def test_what_is_lifted_is_accepted_again(store: Counting) -> None:
    revocations = Revocations(store)
    await revocations.revoke(TOKEN)
    await revocations.lift(TOKEN)
    assert await revocations.any() is False


async def test_names_whose_parts_run_together_are_not_confused(store: Counting) -> None:
    one = Revocation(zone="default", kind=Kind.TOKEN, parts=("a", "bc"), at=1.0)
    other = Revocation(zone="default", kind=Kind.TOKEN, parts=("ab", "c"), at=1.0)
    assert len({one.key, other.key, Revocation(zone="default", kind=Kind.KEY, parts=("a", "bc"), at=1.0).key}) == 3
    revocations = Revocations(store)
    await revocations.revoke(one)
    await revocations.lift(other)
    assert await revocations.any()


async def test_the_store_is_asked_at_most_twice_a_second_however_many_ask(store: Counting, passed: list[float]) -> None:
    revocations = Revocations(store)
    await asyncio.gather(*(revocations.any() for _ in range(50)))
    passed[0] += FRESH - 0.01
    await asyncio.gather(*(revocations.any() for _ in range(50)))
    assert store.asked == 1
    passed[0] += 0.01
    await asyncio.gather(*(revocations.any() for _ in range(50)))
    assert store.asked == 2


async def test_the_copy_is_made_anew_only_when_something_changed(store: Counting, passed: list[float]) -> None:
    revocations = Revocations(store)
    await revocations.revoke(TOKEN)
    for _ in range(5):
        passed[0] += FRESH
        assert await revocations.any()
    assert store.scanned == 1


async def test_when_it_cannot_be_known_nothing_is_accepted_and_then_everything_is_again(store: Counting, passed: list[float]) -> None:
    """R10: the original fails open here."""
    revocations = Revocations(store)
    assert await revocations.any() is False
    passed[0] += FRESH
    store.broken = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await revocations.any()
    store.broken = False
    assert await revocations.any() is False


async def test_one_that_gives_up_waiting_leaves_the_others_their_answer(store: Counting) -> None:
    revocations = Revocations(store)
    first, second = asyncio.ensure_future(revocations.any()), asyncio.ensure_future(revocations.any())
    await asyncio.sleep(0)
    first.cancel()
    assert await second is False


async def test_a_revocation_that_cannot_be_read_revokes_everything(store: Counting) -> None:
    revocations = Revocations(store)
    await revocations.revoke(TOKEN)
    key = next(iter([key async for key, _ in store.scan("revoked/of/")]))
    await store.put(key, b"not one")
    await store.put("revoked/generation", b"another")
    with pytest.raises(Unavailable) as refused:
        await Revocations(store).any()
    assert refused.value.facts["cause"] == "one of them cannot be read"


async def test_what_is_revoked_for_a_while_is_forgotten_then(store: Counting, clock: MovableClock) -> None:
    """RV-06: memory is bounded."""
    await Revocations(store).revoke(TOKEN, ttl=100)
    assert await Revocations(store).any() is True
    clock.move(101)
    assert await Revocations(store).any() is False


@pytest.mark.parametrize(
    ("kind", "zone", "kept"),
    [
        (Kind.TOKEN, "default", b'{"zone":"default","kind":"token","parts":["a","b"],"at":1.0,"reason":""}'),
        (Kind.TRANSACTION, "default", b'{"zone":"default","kind":"transaction","parts":["a","b"],"at":1.0,"reason":""}'),
        (Kind.SUBJECT, "default", b'{"zone":"default","kind":"subject","parts":["a","b"],"at":1.0,"reason":""}'),
        (Kind.APPLICATION, "default", b'{"zone":"default","kind":"application","parts":["a","b"],"at":1.0,"reason":""}'),
        (Kind.ISSUER, EVERYWHERE, b'{"zone":"","kind":"issuer","parts":["a","b"],"at":1.0,"reason":""}'),
        (Kind.KEY, EVERYWHERE, b'{"zone":"","kind":"key","parts":["a","b"],"at":1.0,"reason":""}'),
    ],
)
async def test_what_is_kept_is_written_so_that_the_next_version_finds_it(store: Counting, kind: Kind, zone: str, kept: bytes) -> None:
    """An update that spelt one of these words otherwise would accept again everything that was revoked before it."""
    revocation = Revocation(zone=zone, kind=kind, parts=("a", "b"), at=1.0)
    await Revocations(store).revoke(revocation)
    name = hashlib.sha256(b'["%b","%b",["a","b"]]' % (zone.encode(), kind.encode())).hexdigest()
    assert [pair async for pair in store.scan("revoked/of/")] == [(f"revoked/of/{name}", kept)]


async def test_a_machine_that_has_just_booted_asks_too(store: Counting, passed: list[float]) -> None:
    """The monotonic clock starts near zero there, and nothing may be taken for known because of it."""
    passed[0] = 0.0
    await Revocations(store).revoke(TOKEN)
    revocations = Revocations(store)
    assert await revocations.any() is True
    await revocations.lift(TOKEN)
    assert await revocations.any() is False
