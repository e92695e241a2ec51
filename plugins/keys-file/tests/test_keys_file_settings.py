"""The settings of `keys-file`: what would break a promise later is refused now, in a sentence."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest
from pydantic import ValidationError

from cambist import Secret, Unavailable
from cambist.kek import key_material
from cambist.keys import Horizon
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.times import Times

pytestmark = pytest.mark.row("P-keys-file")

KEK = "0f" * 32


def problem(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        KeysFileSettings.model_validate({"directory": "keys", "kek": KEK, **changes})
    (error,) = refused.value.errors(include_url=False)
    return ".".join(str(part) for part in error["loc"]) + ": " + error["msg"]


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = KeysFileSettings.model_validate({"directory": "keys", "kek": KEK})
    assert (settings.algorithm, settings.skew, settings.retain, settings.rotate_every) == ("ES256", 60, None, None)
    assert settings.former_keks == ()
    assert Times.of(settings, Horizon()) == Times(lead=360, retain=3660)


@pytest.mark.parametrize("environment", [None, ""])
def test_there_is_no_kek_that_everybody_knows(monkeypatch: pytest.MonkeyPatch, environment: str | None) -> None:
    monkeypatch.delenv("CAMBIST_KEK", raising=False)
    if environment is not None:
        monkeypatch.setenv("CAMBIST_KEK", environment)
    with pytest.raises(ValidationError, match="kek: required, here or as the environment variable CAMBIST_KEK; make one with: openssl"):
        KeysFileSettings.model_validate({"directory": "keys"})


def test_a_kek_that_the_settings_do_not_name_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", "aa" * 32)
    assert KeysFileSettings.model_validate({"directory": "keys"}).keks == (b"\xaa" * 32,)
    assert KeysFileSettings.model_validate({"directory": "keys", "kek": KEK}).keks == (b"\x0f" * 32,), "the settings go first"


def test_a_weak_kek_of_the_environment_is_refused_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", "tiger-123")
    with pytest.raises(ValidationError) as refused:
        KeysFileSettings.model_validate({"directory": "keys"})
    (error,) = refused.value.errors(include_url=False, include_input=False)
    assert "must hold at least 32 bytes" in error["msg"]
    assert "tiger" not in str(error)


def test_a_weak_former_kek_is_refused_too() -> None:
    assert "former_keks.0: " in problem(former_keks=["aa" * 31])


@pytest.mark.parametrize(
    "kek",
    [secrets.token_hex(32), secrets.token_urlsafe(32), base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()],
    ids=["hexadecimal", "base64url", "padded"],
)
def test_the_usual_ways_to_make_a_kek_are_taken(kek: str) -> None:
    assert len(key_material(Secret(kek))) == 32


@pytest.mark.parametrize(
    ("kek", "said"),
    [
        ("ab" * 31, "must hold at least 32 bytes, this holds 31; make one with: openssl rand -hex 32"),
        ("ab" * 24, "must hold at least 32 bytes, this holds 24"),  # as base64url it would be 36
        (base64.urlsafe_b64encode(b"k" * 31).decode(), "must hold at least 32 bytes, this holds 31"),
        ("password", "must hold at least 32 bytes, this holds 6"),
        ("short", "must hold at least 32 bytes, this holds 3"),
        ("correct horse battery staple, and so on and on", "must be base64url or hexadecimal; make one with: openssl rand -hex 32"),
        ("A" * 45, "is not whole: no base64url text has 45 characters"),
        ("é" * 50, "must be base64url or hexadecimal"),
    ],
)
def test_a_weak_kek_is_refused_with_the_way_to_a_strong_one(kek: str, said: str) -> None:
    told = problem(kek=kek)
    assert said in told
    assert told.startswith("kek: ")
    assert "openssl rand -hex 32" in told
    assert kek not in told


def test_a_kek_is_not_printed() -> None:
    settings = KeysFileSettings.model_validate({"directory": "keys", "kek": KEK})
    assert "kek=<secret>" in repr(settings)
    assert KEK not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"algorithm": "none"}, "algorithm"),
        ({"algorithm": "HS256"}, "algorithm"),
        ({"max_age": 300}, "max_age"),
        ({"skew": 0}, "skew"),
        ({"skew": 1.9}, "skew"),
        ({"retain": 0}, "retain"),
        ({"retain": float("inf")}, "retain"),
        ({"rotate_every": float("nan")}, "rotate_every"),
        ({"rotate_every": 0}, "rotate_every"),
        ({"rotate": 5}, "rotate"),
    ],
)
def test_a_value_that_would_break_a_promise_is_refused(changes: dict[str, Any], where: str) -> None:
    assert problem(**changes).startswith(f"{where}: ")


def times(horizon: Horizon, **changes: Any) -> Times:
    return Times.of(KeysFileSettings.model_validate({"directory": "keys", "kek": KEK, **changes}), horizon)


@pytest.mark.parametrize(
    ("horizon", "changes", "lead", "retain"),
    [
        (Horizon(max_age=20, lifetime=900), {}, 80, 960),
        (Horizon(max_age=20, lifetime=900), {"skew": 5}, 25, 905),
        (Horizon(), {"retain": 10}, 360, 3660),
        (Horizon(), {"retain": 7200}, 360, 7200),
        (Horizon(lifetime=43_200), {"retain": 7200}, 360, 43_260),
    ],
)
def test_times_are_what_verifiers_were_promised(horizon: Horizon, changes: dict[str, Any], lead: float, retain: float) -> None:
    assert times(horizon, **changes) == Times(lead=lead, retain=retain)


def test_a_schedule_leaves_each_key_the_time_to_wait() -> None:
    for horizon, least in ((Horizon(), 720), (Horizon(max_age=1), 122)):
        times(horizon, rotate_every=least)
        with pytest.raises(Unavailable) as refused:
            times(horizon, rotate_every=least - 1)
        assert (
            refused.value.facts["cause"] == f"rotate_every must be at least {least}: a new key waits {least / 2:g} seconds before it signs"
        )
