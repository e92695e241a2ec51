"""Records that are damaged, too new or contended: a key is never proved by half of what was kept of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cambist import Secret, Store, Unavailable
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_api_key.key import ApiKey
from cambist_api_key.keyring import Keyring

CLOCK = MovableClock()
DAY = 86_400


def keyring(store: Store) -> Keyring:
    pepper = Secret("a pepper of the test's own, and long enough")
    return Keyring(zone="default", store=store, clock=CLOCK, pepper=pepper, max_lifetime=DAY)


async def create(ring: Keyring) -> ApiKey:
    made = await ring.create(owner="team", subject="bot", scopes=["read"], lifetime=DAY)
    return ApiKey.parse(made.text.reveal())


async def kept(store: Store) -> dict[str, Any]:
    """The one record in the store, as the JSON it is."""
    [raw] = [raw async for _, raw in store.scan("")]
    found: dict[str, Any] = msgspec.json.decode(raw)
    return found


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b"null", b'{"version":1}'])
async def test_a_damaged_record_is_a_fault_and_no_key(damage: bytes) -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    key = await create(ring)
    await store.put(f"key/{key.id}", damage)
    for work in (ring.proved(key), ring.all(), ring.revoke(key.id)):
        with pytest.raises(Unavailable) as refused:
            await work
        assert key.id in str(refused.value.facts["cause"])


@pytest.mark.parametrize("change", [{"version": 2}, {"audience": ["https://pay.example"]}, {"version": None}])
async def test_a_record_of_another_version_is_not_read_with_a_bound_left_out(change: dict[str, Any]) -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    key = await create(ring)
    await store.put(f"key/{key.id}", msgspec.json.encode({**await kept(store), **change}))
    with pytest.raises(Unavailable):
        await ring.proved(key)


class Quick(MemoryStore):
    """A store in which somebody else is quicker, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__(CLOCK)
        self.times = times

    async def swap(self, key: str, expected: bytes | None, value: bytes, *, ttl: float | None = None) -> bool:
        if expected is not None and self.times > 0:
            self.times -= 1
            return False
        return await super().swap(key, expected, value, ttl=ttl)


async def test_a_revocation_that_was_overtaken_is_tried_again_and_never_claimed_falsely() -> None:
    ring = keyring(Quick(2))
    key = await create(ring)
    ended = await ring.revoke(key.id)
    assert ended is not None
    assert ended.revoked == int(CLOCK.now)
    stubborn = keyring(Quick(99))
    other = await create(stubborn)
    with pytest.raises(Unavailable):
        await stubborn.revoke(other.id)


async def test_a_key_never_overwrites_another(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = keyring(MemoryStore(CLOCK))
    key = await create(ring)
    monkeypatch.setattr(ApiKey, "fresh", lambda: ApiKey(id=key.id, secret=Secret("x" * 43)))
    with pytest.raises(Unavailable):
        await create(ring)
    assert (await ring.proved(key)).id == key.id
