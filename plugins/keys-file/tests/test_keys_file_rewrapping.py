"""Another KEK: files are read under the former one until they are written under the new one, and no key changes by it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cambist import Unavailable
from cambist.testing import MovableClock
from cambist_keys_file.testing import KEK, cause_of, kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

NEW, OTHER = "a1" * 32, "b2" * 32


async def used(folder: Path, clock: MovableClock) -> list[str]:
    """A zone with a key that is retired, one that signs and one that waits, under KEK."""
    store = kept(folder, clock)
    await store.rotate("default")
    clock.move(360)
    await store.rotate("default")
    return await kids(store)


async def test_the_same_keys_sign_under_the_new_kek_alone(tmp_path: Path) -> None:
    clock = MovableClock()
    before = await used(tmp_path, clock)
    store = kept(tmp_path, clock, kek=NEW, former_keks=[KEK])
    signing = await signer(store)
    assert await store.rewrap("default") is True
    again = kept(tmp_path, clock, kek=NEW)
    assert await kids(again) == before
    key = await again.signing("default")
    assert key.kid == signing
    assert len(await key.sign(b"message")) == 64
    clock.move(360)
    assert (await again.signing("default")).kid == before[0], "the key that waited was rewrapped too"
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path, clock)
    assert refused.value.facts["cause"] == "it was written under another KEK"


async def test_no_byte_that_was_encrypted_stays(tmp_path: Path) -> None:
    await used(tmp_path, MovableClock())
    file = tmp_path / "keys" / "default.json"
    before = json.loads(file.read_text())["ring"]
    await kept(tmp_path, kek=NEW, former_keks=[KEK]).rewrap("default")
    after = json.loads(file.read_text())["ring"]
    assert after["salt"] != before["salt"]
    assert after["generation"] == before["generation"] + 1
    for old, new in zip(before["keys"], after["keys"], strict=True):
        assert {**old, "wrapped": None} == {**new, "wrapped": None}
        assert (old["wrapped"] is None) == (new["wrapped"] is None)
        assert old["wrapped"] is None or old["wrapped"] != new["wrapped"]


async def test_until_it_is_rewrapped_a_file_is_read_and_rotated_under_the_former_kek(tmp_path: Path) -> None:
    clock = MovableClock()
    first = await signer(kept(tmp_path, clock))
    both = kept(tmp_path, clock, kek=NEW, former_keks=[OTHER, KEK])
    assert await signer(both) == first
    second = (await both.rotate("default")).kid
    assert await kids(kept(tmp_path, clock)) == [second, first], "a worker with the former settings goes on"


async def test_a_new_zone_is_written_under_the_new_kek(tmp_path: Path) -> None:
    store = kept(tmp_path, kek=NEW, former_keks=[KEK])
    kid = await signer(store, "blue")
    assert await store.rewrap("blue") is False
    assert await signer(kept(tmp_path, kek=NEW), "blue") == kid


async def test_a_worker_that_knows_both_does_not_notice(tmp_path: Path) -> None:
    clock = MovableClock()
    before = await used(tmp_path, clock)
    settings: dict[str, Any] = {"kek": NEW, "former_keks": [KEK]}
    worker, command = kept(tmp_path, clock, **settings), kept(tmp_path, clock, **settings)
    signing = await signer(worker)
    await command.rewrap("default")
    clock.move(1)
    assert (await signer(worker), await kids(worker)) == (signing, before)
    clock.move(360)
    assert await signer(worker) == before[0]


async def test_a_worker_that_knows_the_former_alone_refuses_and_never_replaces(tmp_path: Path) -> None:
    clock = MovableClock()
    worker = kept(tmp_path, clock)
    await signer(worker)
    await kept(tmp_path, clock, kek=NEW, former_keks=[KEK]).rewrap("default")
    file = (tmp_path / "keys" / "default.json").read_bytes()
    clock.move(1)
    assert await cause_of(worker.signing("default")) == "it was written under another KEK"
    await cause_of(worker.rotate("default", compromised=True))
    assert (tmp_path / "keys" / "default.json").read_bytes() == file


async def test_a_kek_that_nobody_named_opens_nothing(tmp_path: Path) -> None:
    await used(tmp_path, MovableClock())
    with pytest.raises(Unavailable):
        kept(tmp_path, kek=NEW, former_keks=[OTHER])


async def test_a_file_that_was_altered_is_not_rewrapped(tmp_path: Path) -> None:
    await used(tmp_path, MovableClock())
    file = tmp_path / "keys" / "default.json"
    file.write_bytes(altered := file.read_bytes().replace(b'"ES256"', b'"ES384"', 1))
    store = kept(tmp_path, kek=NEW, former_keks=[KEK])
    assert await cause_of(store.rewrap("default")) == "it was altered: its seal does not hold"
    assert file.read_bytes() == altered


async def test_a_zone_without_keys_has_nothing_to_rewrap(tmp_path: Path) -> None:
    store = kept(tmp_path)
    assert await cause_of(store.rewrap("default")) == "there is none"
    assert store.zones() == ()


async def test_a_crash_in_the_middle_leaves_the_file_under_the_former_kek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    before = await used(tmp_path, clock := MovableClock())
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            await kept(tmp_path, clock, kek=NEW, former_keks=[KEK]).rewrap("default")
    assert await kids(kept(tmp_path, clock)) == before
