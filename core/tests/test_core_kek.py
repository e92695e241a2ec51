"""The KEK: where it comes from, what is strong enough, and keys that are derived from it for one use each."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cambist import Secret
from cambist.kek import MIN_BYTES, UnderKek, derived, key_material

GOOD, OTHER = "4b" * 32, "5c" * 32


@given(st.binary(min_size=MIN_BYTES, max_size=64))
def test_a_kek_is_the_bytes_that_its_text_stands_for(raw: bytes) -> None:
    assert key_material(Secret(raw.hex())) == raw


def complaint(text: str) -> str | None:
    """What is said of a text that is no KEK."""
    try:
        key_material(Secret(text))
    except ValueError as refused:
        return str(refused)
    return None


@given(st.text(max_size=31))
def test_what_is_too_short_for_any_spelling_is_refused(text: str) -> None:
    assert complaint(text) is not None


@pytest.mark.parametrize("text", ["a secret of an operator!", "tiger-123", "4b" * 31, "ä" * 64, "", "a" * 45])
def test_a_text_that_is_no_kek_is_not_told(text: str) -> None:
    said = complaint(text)
    assert said is not None
    assert not text or text not in said


def test_a_text_that_lost_a_letter_is_not_whole() -> None:
    """No number of bytes has one letter more than a multiple of four in base64url."""
    assert "not whole" in (complaint("z" * 45) or "")
    assert complaint("z" * 46) is None


def test_the_environment_is_asked_where_the_settings_name_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", OTHER)
    assert UnderKek.model_validate({}).kek.reveal() == OTHER
    assert UnderKek.model_validate({"kek": GOOD, "former_keks": [OTHER]}).keks == (bytes.fromhex(GOOD), bytes.fromhex(OTHER))


def test_there_is_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAMBIST_KEK", raising=False)
    with pytest.raises(ValidationError, match="required, here or as the environment variable CAMBIST_KEK"):
        UnderKek.model_validate({})


def test_every_use_and_every_salt_has_a_key_of_its_own() -> None:
    material = secrets.token_bytes(32)
    keys = [derived(material, salt=salt, use=use) for salt in (b"a", b"b") for use in ("ledger", "keys")]
    assert len({*keys, material}) == 5
    assert derived(material, salt=b"a", use="ledger") == keys[0]
    assert len(derived(material, salt=b"a", use="ledger", size=16)) == 16
