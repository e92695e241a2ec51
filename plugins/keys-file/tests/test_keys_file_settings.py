"""The settings of `keys-file`: what would break a promise later is refused now, in a sentence."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest
from pydantic import ValidationError

from cambist import Secret
from cambist_keys_file.kek import key_material
from cambist_keys_file.settings import KeysFileSettings

pytestmark = pytest.mark.row("P-keys-file")

KEK = "0f" * 32


def problem(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        KeysFileSettings.model_validate({"directory": "keys", "kek": KEK, **changes})
    (error,) = refused.value.errors(include_url=False)
    return ".".join(str(part) for part in error["loc"]) + ": " + error["msg"]


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = KeysFileSettings.model_validate({"directory": "keys", "kek": KEK})
    assert (settings.algorithm, settings.max_age, settings.skew, settings.retain, settings.rotate_every) == ("ES256", 300, 60, 3660, None)
    assert settings.lead == 360


def test_there_is_no_default_kek() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        KeysFileSettings.model_validate({"directory": "keys"})


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
        ({"max_age": 299}, "max_age"),
        ({"max_age": float("inf")}, "max_age"),
        ({"max_age": float("nan")}, "max_age"),
        ({"skew": 0}, "skew"),
        ({"retain": 0}, "retain"),
        ({"retain": float("inf")}, "retain"),
        ({"rotate_every": float("nan")}, "rotate_every"),
        ({"rotate": 5}, "rotate"),
    ],
)
def test_a_value_that_would_break_a_promise_is_refused(changes: dict[str, Any], where: str) -> None:
    assert problem(**changes).startswith(f"{where}: ")


def test_times_that_do_not_fit_together_are_refused() -> None:
    assert "it must be above skew" in problem(retain=60)
    assert "rotate_every must be at least 720" in problem(rotate_every=719)
