"""The keyring by itself: what is kept, how a key is compared, and what the store can do to it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from cambist import Rejected, Secret, Store
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_api_key import keyring as keyring_module
from cambist_api_key import record as record_module
from cambist_api_key.key import ApiKey
from cambist_api_key.keyring import KEPT_AFTER, Created, Keyring

PEPPER = Secret("a pepper of the test's own, and long enough")
DAY = 86_400
CLOCK = MovableClock()


def keyring(store: Store, *, zone: str = "default", pepper: Secret = PEPPER, clock: MovableClock = CLOCK, most: int = 90 * DAY) -> Keyring:
    return Keyring(zone=zone, store=store, clock=clock, pepper=pepper, max_lifetime=most)


async def create(ring: Keyring, **changes: Any) -> tuple[Created, ApiKey]:
    made = await ring.create(**{"owner": "team", "subject": "bot", "scopes": ["read"], "lifetime": DAY, **changes})
    return made, ApiKey.parse(made.text.reveal())


async def kept(store: Store) -> dict[str, Any]:
    """The one record in the store, as the JSON it is."""
    [raw] = [raw async for _, raw in store.scan("")]
    found: dict[str, Any] = msgspec.json.decode(raw)
    return found


@pytest.mark.row("T-api-key")
async def test_only_a_keyed_hash_of_a_key_is_kept() -> None:
    store = MemoryStore(CLOCK)
    made, key = await create(keyring(store))
    record = await kept(store)
    assert record.keys() == {"version", "id", "owner", "subject", "scopes", "created", "expires", "digest", "revoked"}
    assert key.secret.reveal() not in msgspec.json.encode(record).decode()
    assert made.record.digest is not None
    assert len(made.record.digest) == 32


@pytest.mark.row("T-api-key")
@pytest.mark.parametrize(
    ("member", "value"),
    [("owner", "boss"), ("subject", "root"), ("scopes", ["read", "admin"]), ("scopes", []), ("created", 1_900_000_000), ("expires", 2**40)],
)
async def test_who_writes_to_the_store_cannot_change_what_a_key_is_good_for(member: str, value: Any) -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    _, key = await create(ring)
    await ring.proved(key)
    await store.put(f"key/{key.id}", msgspec.json.encode({**await kept(store), member: value}))
    with pytest.raises(Rejected) as refused:
        await ring.proved(key)
    assert refused.value.facts["cause"] == "its secret is wrong"


async def test_a_record_does_not_prove_a_key_of_another_id_zone_or_pepper() -> None:
    store = MemoryStore(CLOCK)
    _, key = await create(keyring(store))
    record = await kept(store)
    renamed = ApiKey(id="A" * 12, secret=key.secret)
    await store.put(f"key/{renamed.id}", msgspec.json.encode({**record, "id": renamed.id}))
    with pytest.raises(Rejected):
        await keyring(store).proved(renamed)
    for other in (keyring(store, zone="other"), keyring(store, pepper=Secret("another pepper that is long enough, too"))):
        with pytest.raises(Rejected):
            await other.proved(key)
    assert (await keyring(store).proved(key)).subject == "bot"


@pytest.mark.row("T-api-key")
async def test_the_right_checksum_does_not_make_up_for_a_wrong_secret() -> None:
    ring = keyring(MemoryStore(CLOCK))
    _, key = await create(ring)
    for place in range(len(key.secret.reveal())):
        secret = key.secret.reveal()
        wrong = secret[:place] + ("a" if secret[place] != "a" else "b") + secret[place + 1 :]
        with pytest.raises(Rejected):
            await ring.proved(ApiKey.parse(ApiKey(id=key.id, secret=Secret(wrong)).text().reveal()))


class Watched(MemoryStore):
    """A store that remembers what was read."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.reads: list[int] = []

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        self.reads.append(len(keys))
        return await super().get_many(keys)


@pytest.mark.row("T-api-key")
async def test_an_unknown_a_wrong_and_a_revoked_key_take_the_same_path_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Watched()
    ring = keyring(store)
    _, known = await create(ring)
    _, revoked = await create(ring)
    await ring.revoke(revoked.id)
    calls: list[object] = []

    def spied(name: str, work: Callable[..., Any], seen: Callable[..., object]) -> None:
        def spy(*arguments: Any) -> Any:
            calls.append((name, seen(*arguments)))
            return work(*arguments)

        monkeypatch.setattr(keyring_module, name, spy)

    spied("compare_digest", hmac.compare_digest, lambda ours, theirs: (len(ours), len(theirs)))
    spied("digest", record_module.digest, lambda *_: "hashed")
    spied("decoded", record_module.decoded, lambda *_: "decoded")
    paths, answers, causes = [], [], []
    for key in (ApiKey.fresh(), ApiKey(id=known.id, secret=ApiKey.fresh().secret), revoked):
        calls.clear()
        store.reads.clear()
        with pytest.raises(Rejected) as refused:
            await ring.proved(key)
        paths.append(([*store.reads], [*calls]))
        answers.append((type(refused.value), str(refused.value), refused.value.expected, refused.value.seen))
        causes.append(refused.value.facts["cause"])
    assert paths == [([1], [("decoded", "decoded"), ("digest", "hashed"), ("compare_digest", (32, 32))])] * 3
    assert len(set(answers)) == 1
    assert causes == ["there is no such key", "its secret is wrong", "it is revoked"]


async def test_what_stands_in_for_an_unknown_key_is_no_key_itself() -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    for key_id in ("", "0" * 12):
        with pytest.raises(Rejected):
            await ring.proved(ApiKey(id=key_id, secret=Secret("0" * 43)))
    assert await ring.all() == []


async def test_an_unknown_key_is_refused_whatever_the_comparison_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_module, "compare_digest", lambda ours, theirs: True)
    with pytest.raises(Rejected) as refused:
        await keyring(MemoryStore(CLOCK)).proved(ApiKey.fresh())
    assert refused.value.facts["cause"] == "there is no such key"


async def test_a_key_that_says_it_is_revoked_is_refused_also_with_its_digest() -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    _, key = await create(ring)
    await store.put(f"key/{key.id}", msgspec.json.encode({**await kept(store), "revoked": 1}))
    with pytest.raises(Rejected):
        await ring.proved(key)


async def test_a_revoked_key_cannot_be_brought_back_by_its_flag() -> None:
    store = MemoryStore(CLOCK)
    ring = keyring(store)
    _, key = await create(ring)
    await ring.revoke(key.id)
    record = await kept(store)
    assert record["digest"] is None
    await store.put(f"key/{key.id}", msgspec.json.encode({**record, "revoked": None}))
    with pytest.raises(Rejected):
        await ring.proved(key)


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": ""}, {"owner": " "}, {"owner": "o" * 257}, {"subject": "a\nb"}, {"subject": "\u202eevil"}, {"subject": "\udc80"},
        {"scopes": [""]}, {"scopes": ["two words"]}, {"scopes": ['"']}, {"lifetime": 0}, {"lifetime": -1}, {"lifetime": 90 * DAY + 1},
    ],
)  # fmt: skip
async def test_a_key_with_a_name_scope_or_life_that_cannot_be_is_not_made(changes: dict[str, Any]) -> None:
    store = MemoryStore(CLOCK)
    with pytest.raises(ValueError, match=r"must be|a scope is|may live"):
        await create(keyring(store), **changes)
    assert await keyring(store).all() == []


async def test_a_shorter_max_lifetime_ends_older_keys_as_well() -> None:
    store = MemoryStore(CLOCK)
    made, _ = await create(keyring(store), lifetime=90 * DAY)
    assert keyring(store).ends(made.record) == int(CLOCK.now) + 90 * DAY
    assert keyring(store, most=DAY).ends(made.record) == int(CLOCK.now) + DAY


async def test_a_key_that_ended_is_listed_for_a_while_and_then_forgotten() -> None:
    clock = MovableClock()
    ring = keyring(MemoryStore(clock), clock=clock)
    first, _ = await create(ring)
    clock.move(1)
    second, _ = await create(ring)
    await ring.revoke(second.record.id)
    assert [record.id for record in await ring.all()] == [first.record.id, second.record.id]
    clock.move(DAY + KEPT_AFTER)
    assert await ring.all() == []
