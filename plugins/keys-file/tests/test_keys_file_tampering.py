"""What was altered, half-written or put back is refused, stays as it is, and is never replaced."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cambist.testing import MovableClock
from cambist_keys_file.key_file import MAX_BYTES
from cambist_keys_file.testing import cause_of, kept, made, signer, unchecked

pytestmark = pytest.mark.row("P-keys-file")


async def refused_as_is(folder: Path, file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    store = unchecked(folder)
    await cause_of(store.signing("default"))
    await cause_of(store.rotate("default"))
    assert file.read_bytes() == raw


@pytest.mark.parametrize("change", [0x01, 0x20, 0x80])
async def test_a_change_of_any_byte_is_refused_and_stays_as_it_is(tmp_path: Path, change: int) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    for at in range(len(good)):
        await refused_as_is(tmp_path, file, good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
    file.write_bytes(good)
    assert await signer(unchecked(tmp_path))


async def test_a_file_that_ends_early_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    for end in range(len(good)):
        await refused_as_is(tmp_path, file, good[:end])


@pytest.mark.parametrize("more", [b"\n", b" ", b"\x00", b"{}", b"\xff"])
async def test_a_byte_more_is_refused_wherever_it_stands(tmp_path: Path, more: bytes) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    for at in range(0, len(good) + 1, 7):
        await refused_as_is(tmp_path, file, good[:at] + more + good[at:])
    await refused_as_is(tmp_path, file, good + more)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format":"cambist keys-file","version":1}'])
async def test_what_is_no_key_file_is_refused(tmp_path: Path, raw: bytes) -> None:
    await refused_as_is(tmp_path, await made(tmp_path), raw)


async def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    file = await made(tmp_path)
    os.truncate(file, MAX_BYTES + 1)
    assert "too large" in await cause_of(unchecked(tmp_path).signing("default"))


def reseated(document: dict[str, Any]) -> bytes:
    """As the plugin spells it, so that only the seal can tell."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def drop_a_key(document: dict[str, Any]) -> None:
    del document["ring"]["keys"][1]


def sign_earlier(document: dict[str, Any]) -> None:
    document["ring"]["keys"][1]["signs_from"] -= 360


def exchange_the_private_halves(document: dict[str, Any]) -> None:
    one, other = document["ring"]["keys"]
    one["wrapped"], other["wrapped"] = other["wrapped"], one["wrapped"]


def publish_a_key_of_ones_own(document: dict[str, Any]) -> None:
    document["ring"]["keys"][0]["public"]["x"] = document["ring"]["keys"][1]["public"]["x"]


def turn_the_generation_forward(document: dict[str, Any]) -> None:
    document["ring"]["generation"] += 1


def rename_the_zone(document: dict[str, Any]) -> None:
    document["ring"]["zone"] = "blue"


def call_it_another_algorithm(document: dict[str, Any]) -> None:
    document["ring"]["keys"][0]["alg"] = "Ed25519"


TAMPERINGS = [
    drop_a_key,
    sign_earlier,
    exchange_the_private_halves,
    publish_a_key_of_ones_own,
    turn_the_generation_forward,
    rename_the_zone,
    call_it_another_algorithm,
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_a_well_written_change_without_the_kek_breaks_the_seal(tmp_path: Path, tamper: Callable[[dict[str, Any]], None]) -> None:
    file = await made(tmp_path)
    document = json.loads(file.read_bytes())
    assert reseated(document) == file.read_bytes()
    tamper(document)
    file.write_bytes(reseated(document))
    assert await cause_of(unchecked(tmp_path).signing("default")) == "it was altered: its seal does not hold"


async def test_a_newer_format_is_refused_as_such(tmp_path: Path) -> None:
    file = await made(tmp_path)
    document = json.loads(file.read_bytes())
    document["version"] = 2
    file.write_bytes(reseated(document))
    assert "it has version 2 of the format" in await cause_of(unchecked(tmp_path).signing("default"))


async def test_the_file_of_one_zone_is_not_taken_for_another(tmp_path: Path) -> None:
    file = await made(tmp_path)
    blue = file.with_name("blue.json")
    blue.write_bytes(file.read_bytes())
    blue.chmod(0o600)
    assert await cause_of(unchecked(tmp_path).signing("blue")) == "it is the file of zone default"


async def test_one_altered_file_does_not_shut_the_other_zones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = kept(tmp_path)
    blue = await signer(store, "blue")
    await signer(store)
    file = tmp_path / "keys" / "default.json"
    file.write_bytes(file.read_bytes()[:-5])
    with caplog.at_level(logging.ERROR):
        again = kept(tmp_path)
    assert "the key file of zone default cannot be used" in caplog.text
    assert await signer(again, "blue") == blue
    await cause_of(again.signing("default"))


async def test_an_older_state_is_refused_while_the_service_runs(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    stolen = await signer(store)
    file = tmp_path / "keys" / "default.json"
    old = file.read_bytes()
    await store.rotate("default", compromised=True)
    file.write_bytes(old)
    clock.move(1)
    assert await cause_of(store.signing("default")) == "an older state of the file was put back; restart to accept it"
    await cause_of(store.rotate("default"))
    assert file.read_bytes() == old
    assert await signer(kept(tmp_path, clock)) == stolen


async def test_a_file_that_disappears_is_not_replaced_while_the_service_runs(tmp_path: Path) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    first = await signer(store)
    file = tmp_path / "keys" / "default.json"
    good = file.read_bytes()
    file.unlink()
    clock.move(1)
    assert "the file is gone" in await cause_of(store.signing("default"))
    await cause_of(store.rotate("default", compromised=True))
    assert not file.exists()
    file.write_bytes(good)
    file.chmod(0o600)
    assert await signer(store) == first
