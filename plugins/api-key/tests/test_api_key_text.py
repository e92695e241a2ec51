"""The text of a key: nothing but exactly a whole key is read as one."""

from __future__ import annotations

import binascii
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cambist import CredentialMalformed, Secret
from cambist_api_key.key import ALPHABET, SECRET_LENGTH, SHAPE, ApiKey

KEY = ApiKey(id="0123456789ab", secret=Secret("Zz" * 21 + "Q"))
GOOD = KEY.text().reveal()
PLACES = st.integers(0, len(GOOD) - 1)
CHARACTERS = st.one_of(st.sampled_from(ALPHABET), st.characters(categories=None))


def test_a_fresh_key_is_read_back_as_it_was_made() -> None:
    key = ApiKey.fresh()
    read = ApiKey.parse(key.text().reveal())
    assert (read.id, read.secret) == (key.id, key.secret)


def test_a_secret_has_256_bits_and_no_two_keys_share_anything() -> None:
    keys = [ApiKey.fresh() for _ in range(200)]
    assert math.log2(len(ALPHABET)) * SECRET_LENGTH >= 256
    assert len({key.id for key in keys}) == len({key.secret.reveal() for key in keys}) == 200
    assert {character for key in keys for character in key.secret.reveal()} == set(ALPHABET)


def test_the_format_is_the_one_that_scanners_were_told() -> None:
    rest, digits = binascii.crc32(f"cbk_0123456789ab_{'Zz' * 21}Q".encode()), []
    while rest:
        rest, digit = divmod(rest, 62)
        digits.append(ALPHABET[digit])
    assert f"cbk_0123456789ab_{'Zz' * 21}Q{''.join(reversed(digits)).rjust(6, '0')}" == GOOD
    assert SHAPE.fullmatch(GOOD)


@given(PLACES, CHARACTERS)
def test_every_change_of_one_character_is_refused(place: int, character: str) -> None:
    assume(character != GOOD[place])
    with pytest.raises(CredentialMalformed):
        ApiKey.parse(GOOD[:place] + character + GOOD[place + 1 :])


def test_no_change_of_one_character_within_the_alphabet_escapes() -> None:
    changed = [GOOD[:i] + c + GOOD[i + 1 :] for i in range(len(GOOD)) for c in ALPHABET + "_" if c != GOOD[i]]
    assert len(changed) > 4_000
    for text in changed:
        with pytest.raises(CredentialMalformed):
            ApiKey.parse(text)


@given(PLACES, CHARACTERS)
def test_a_character_too_many_or_too_few_is_refused(place: int, character: str) -> None:
    for text in (GOOD[:place] + character + GOOD[place:], GOOD[:place] + GOOD[place + 1 :]):
        with pytest.raises(CredentialMalformed):
            ApiKey.parse(text)


@given(PLACES)
def test_two_neighbours_that_change_places_are_refused(place: int) -> None:
    swapped = GOOD[:place] + GOOD[place : place + 2][::-1] + GOOD[place + 2 :]
    assume(swapped != GOOD)
    with pytest.raises(CredentialMalformed):
        ApiKey.parse(swapped)


@pytest.mark.parametrize("text", ["", "cbk", GOOD + "\n", " " + GOOD, GOOD.upper(), GOOD.replace("0", "٠"), GOOD * 2, "a.b.c", "\udc80"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(CredentialMalformed):
        ApiKey.parse(text)


def test_a_key_does_not_print_its_secret() -> None:
    shown = f"{KEY!r} {KEY} {KEY.text()!r}"
    assert "0123456789ab" in shown
    assert "ZzZz" not in shown


def test_what_is_said_of_a_bad_key_does_not_repeat_it() -> None:
    with pytest.raises(CredentialMalformed) as refused:
        ApiKey.parse(GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"))
    assert "ZzZz" not in f"{refused.value} {refused.value.facts} {refused.value.seen} {refused.value.expected}"
