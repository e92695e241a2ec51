"""`cambist keys …` as `keys-file` brings it: what there is, and a new key."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click
import pytest

from cambist.hooks import Invocation
from cambist.testing import MovableClock
from cambist_keys_file.store import FileKeys
from cambist_keys_file.testing import KEK, cause_of, kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")


async def run(store: FileKeys, *arguments: str, zone: str | None = None) -> None:
    """As the command line does; `zone` is what stands before `keys` there."""
    said = Invocation(zone=zone, zones=frozenset({"default", "blue", "red"}))
    done = store.command().main(list(arguments), prog_name="cambist keys", standalone_mode=False, obj=said)
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


@pytest.mark.parametrize("command", [["list"], ["rotate"], ["rewrap"], ["withdraw", "kid"]])
async def test_a_mistyped_zone_makes_no_keys(tmp_path: Path, command: list[str]) -> None:
    store = kept(tmp_path, MovableClock())
    await store.signing("default")
    with pytest.raises(click.BadParameter, match=r"no zone 'defualt' has keys; those that have: default"):
        await run(store, *command, "--zone", "defualt")
    assert store.zones() == ("default",)


async def test_rotate_wants_the_zone_to_be_named(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    first = (await store.signing("default")).kid
    with pytest.raises(click.MissingParameter):
        await run(store, "rotate", "--compromised")
    assert (await store.signing("default")).kid == first


async def test_the_zone_may_stand_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept(tmp_path, MovableClock())
    for zone in ("default", "blue"):
        await signer(store, zone)
    await run(store, "rotate", "--json", zone="blue")
    assert json.loads(capsys.readouterr().out)["zone_id"] == "blue"
    assert [len(await kids(store, zone)) for zone in ("default", "blue")] == [1, 2]
    await run(store, "list", "--json", zone="blue")
    assert {row["zone_id"] for row in json.loads(capsys.readouterr().out)} == {"blue"}
    await run(store, "rotate", "--zone", "default", "--json", zone="blue")
    assert json.loads(capsys.readouterr().out)["zone_id"] == "default", "the nearer one counts"


# ── create ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_create_makes_the_first_key_of_a_zone_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = kept(tmp_path, MovableClock())
    await run(store, "create", "--zone", "red", "--json")
    made = json.loads(capsys.readouterr().out)
    assert made == {"created": True, "zone_id": "red", "kid": await signer(store, "red")}
    await run(store, "create", zone="red")
    assert capsys.readouterr().out == f"{made['kid']} was there before, and signs\n"
    assert await kids(store, "red") == [made["kid"]]


@pytest.mark.parametrize("zone", ["green", "../red", ""])
async def test_create_makes_no_key_for_a_zone_that_nobody_declared(tmp_path: Path, zone: str) -> None:
    store = kept(tmp_path, MovableClock())
    with pytest.raises(click.UsageError):
        await run(store, "create", "--zone", zone)
    assert store.zones() == ()


# ── withdraw ────────────────────────────────────────────────────────────────────────────────────────────


async def test_withdraw_takes_one_key_and_says_what_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = MovableClock()
    store = kept(tmp_path, clock)
    old = await signer(store)
    current = (await store.rotate("default")).kid
    clock.move(360)
    waiting = (await store.rotate("default")).kid
    await run(store, "withdraw", old, "--zone", "default", "--json")
    answered = capsys.readouterr()
    assert json.loads(answered.out) == {"withdrawn": True, "zone_id": "default", "kid": old, "signing": current}
    assert "may accept its tokens for 360 seconds more" in answered.err
    assert await kids(store) == [waiting, current]
    await run(store, "withdraw", current, zone="default")
    assert capsys.readouterr().out == f"{current} is withdrawn; {waiting} signs\n"
    assert await kids(store) == [waiting]


async def test_withdraw_of_a_key_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    store = kept(tmp_path, MovableClock())
    kid = await signer(store)
    with pytest.raises(click.BadParameter, match=f"zone default has no key 'other'; there are {kid}"):
        await run(store, "withdraw", "other", "--zone", "default")
    assert await kids(store) == [kid]


# ── rewrap ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_rewrap_changes_the_kek_of_every_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for zone in ("default", "blue"):
        await signer(kept(tmp_path), zone)
    store = kept(tmp_path, kek="a1" * 32, former_keks=[KEK])
    await run(store, "rewrap", "--json")
    assert json.loads(capsys.readouterr().out) == [{"zone_id": zone, "rewrapped": True} for zone in ("blue", "default")]
    await run(store, "rewrap")
    assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()] == ["was under the KEK already"] * 2
    assert await cause_of(kept_later(tmp_path)) == "it was written under another KEK"


async def kept_later(folder: Path) -> None:
    kept(folder)


@pytest.mark.parametrize("kid", ["-FbP_6FsfYrdR8Zh", "--json-or-so", "-"])
async def test_a_kid_that_begins_with_a_hyphen_is_no_option(tmp_path: Path, kid: str) -> None:
    """One thumbprint in 64 does."""
    store = kept(tmp_path, MovableClock())
    await signer(store)
    with pytest.raises(click.BadParameter, match=f"has no key '{kid}'"):
        await run(store, "withdraw", kid, "--zone", "default")
