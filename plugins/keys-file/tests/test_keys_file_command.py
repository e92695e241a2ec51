"""`cambist keys …` as `keys-file` brings it: what there is, and a new key."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click
import pytest

from cambist.testing import MovableClock
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys

pytestmark = pytest.mark.row("P-keys-file")


def kept(folder: Path, clock: MovableClock) -> FileKeys:
    return FileKeys.opened(KeysFileSettings.model_validate({"directory": folder / "keys", "kek": "d2" * 32}), clock)


async def run(store: FileKeys, *arguments: str) -> None:
    """As the command line does."""
    done = store.command().main(list(arguments), prog_name="cambist keys", standalone_mode=False)
    if inspect.isawaitable(done):
        await done


async def test_list_shows_what_each_key_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    old = (await store.signing("default")).kid
    middle = (await store.rotate("default")).kid
    clock.move(360)
    new = (await store.rotate("default")).kid
    await run(store, "list", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["state"], row["kid"]) for row in rows] == [("next", new), ("signing", middle), ("retired", old)]
    assert [row["published_until"] for row in rows] == [None, clock() + 360 + 3660, clock() + 3660]
    assert {row["alg"] for row in rows} == {"ES256"}
    await run(store, "list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["next", "signing", "retired"]
    assert "signs from 2027-01-15T12:12:00Z" in lines[0]
    assert "published until 2027-01-15T13:07:00Z" in lines[2]


async def test_list_shows_all_zones_or_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept(tmp_path, MovableClock())
    for zone in ("default", "blue"):
        await store.signing(zone)
    await run(store, "list", "--json")
    assert [row["zone_id"] for row in json.loads(capsys.readouterr().out)] == ["blue", "default"]
    await run(store, "list", "--zone", "blue", "--json")
    assert [row["zone_id"] for row in json.loads(capsys.readouterr().out)] == ["blue"]


async def test_list_without_keys_says_so_and_makes_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept(tmp_path, MovableClock())
    await run(store, "list")
    assert "there are no keys yet" in capsys.readouterr().out
    assert store.zones() == ()


async def test_rotate_tells_when_the_new_key_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    await store.signing("default")
    await run(store, "rotate", "--zone", "default", "--json")
    done = json.loads(capsys.readouterr().out)
    assert done == {"rotated": True, "zone_id": "default", "kid": done["kid"], "signs_from": clock() + 360}
    await run(store, "rotate", "--zone", "default")
    assert capsys.readouterr().out == f"{done['kid']} was published before, and waits; it signs from 2027-01-15T12:06:00Z\n"


async def test_rotate_compromised_withdraws_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept(tmp_path, MovableClock())
    stolen = (await store.signing("default")).kid
    await run(store, "rotate", "--zone", "default", "--compromised")
    assert "it signs from 2027-01-15T12:00:00Z" in capsys.readouterr().out
    assert stolen not in [jwk["kid"] for jwk in await store.published("default")]


@pytest.mark.parametrize("command", ["list", "rotate"])
async def test_a_mistyped_zone_makes_no_keys(tmp_path: Path, command: str) -> None:
    store = kept(tmp_path, MovableClock())
    await store.signing("default")
    with pytest.raises(click.BadParameter, match=r"no zone 'defualt' has keys; those that have: default"):
        await run(store, command, "--zone", "defualt")
    assert store.zones() == ("default",)


async def test_rotate_wants_the_zone_to_be_named(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    first = (await store.signing("default")).kid
    with pytest.raises(click.MissingParameter):
        await run(store, "rotate", "--compromised")
    assert (await store.signing("default")).kid == first
