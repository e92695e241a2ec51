"""Keys in a file are read again when it changes; keys in the settings are judged when they are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from cambist import Unavailable
from cambist.errors import KeyUnknown
from cambist.jwks import HARD_AGE, FileKeys, inline
from cambist.testing import MovableClock

ISSUER = "https://issuer.example/tenant"
_KEY = ECKey.generate_key("P-256").as_dict(private=False)


def key(kid: str) -> dict[str, Any]:
    return _KEY | {"kid": kid}


def document(*kids: str) -> dict[str, Any]:
    return {"keys": [key(kid) for kid in kids]}


# ── keys in a file ──────────────────────────────────────────────────────────────────────────────────────


def written(path: Path, content: object) -> None:
    """As a careful operator replaces a file: whole, by a move."""
    new = path.with_suffix(".new")
    new.write_text(content if isinstance(content, str) else json.dumps(content))
    new.replace(path)


async def test_keys_in_a_file_are_read_again_when_it_is_replaced(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    assert (await keys.find("a", "ES256")).kid == "a"
    written(path, document("b"))
    assert (await keys.find("b", "ES256")).kid == "b"
    with pytest.raises(KeyUnknown):
        await keys.find("a", "ES256")


async def test_a_replacement_of_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path, other, clock = tmp_path / "keys.json", tmp_path / "other.json", MovableClock()
    path.write_text(json.dumps(document("a")))
    other.write_text(json.dumps(document("b")))
    shutil.copystat(path, other)
    keys = FileKeys(path, clock)
    keys.read()
    before, after = path.stat(), other.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    other.replace(path)
    assert (await keys.find("b", "ES256")).kid == "b"


async def test_a_file_that_does_not_change_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    keys.read()
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read again"))
    assert (await keys.find("a", "ES256")).kid == "a"


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"keys": 5}', '{"keys":[],"keys":[]}', None])
async def test_a_broken_replacement_changes_nothing_for_a_day(tmp_path: Path, broken: str | None) -> None:
    path, clock = tmp_path / "keys.json", MovableClock()
    written(path, document("a"))
    keys = FileKeys(path, clock)
    keys.read()
    clock.move(3600)
    keys.read()  # sound an hour later, too: from then on the day counts
    if broken is None:
        path.unlink()
    else:
        written(path, broken)
    clock.move(HARD_AGE)
    assert (await keys.find("a", "ES256")).kid == "a"
    clock.move(1)
    with pytest.raises(Unavailable) as refused:
        await keys.find("a", "ES256")
    assert refused.value.facts["what"] == f"key file {path}"
    assert str(keys.warning()).startswith(f"last good {HARD_AGE + 1:g} seconds ago: ")
    written(path, document("b"))
    assert (await keys.find("b", "ES256")).kid == "b"


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "No such file"), ("{", "not one JSON value"), ("[]", "it is not a JWK set"), ("\ufeff{}", "byte order mark")],
)
async def test_a_file_that_never_was_a_key_set_is_told(tmp_path: Path, content: str | None, cause: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        written(path, content)
    keys = FileKeys(path, MovableClock())
    with pytest.raises(Unavailable) as refused:
        await keys.find("a", "ES256")
    assert cause in str(refused.value.facts["cause"])
    assert "there never were good ones" in str(keys.warning())


# ── keys in the settings ────────────────────────────────────────────────────────────────────────────────


async def test_keys_in_the_settings_are_found() -> None:
    assert (await inline(ISSUER, document("a", "b")).find("b", "ES256")).kid == "b"
    with pytest.raises(KeyUnknown):
        await inline(ISSUER, document("a")).find("b", "ES256")


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "it is not a JWK set"),
        ({"keys": "x"}, "it is not a JWK set"),
        ({"keys": []}, "there are none"),
        ({"keys": [key("a") | {"use": "enc"}, {"kty": "oct", "k": "AA"}]}, "a: not for signatures; None: not an asymmetric key"),
    ],
)
def test_keys_in_the_settings_that_cannot_be_used_are_told_with_their_issuer(given: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unavailable) as refused:
        inline(ISSUER, given)
    assert refused.value.facts == {"what": f"the keys of {ISSUER}", "cause": cause}
