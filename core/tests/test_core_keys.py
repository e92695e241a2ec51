"""Keys that sign and never leave."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from cambist import KeyStore, SigningKey
from cambist.compact import encode
from cambist.jwk import KeySet
from cambist.keys import EphemeralKey, EphemeralKeys, raw_signature
from cambist.testing import MovableClock

HEADER = b'{"alg":"ES256"}'
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def keys() -> EphemeralKeys:
    return EphemeralKeys(MovableClock())


def test_it_is_a_key_store_and_its_keys_are_signing_keys(keys: EphemeralKeys) -> None:
    assert isinstance(keys, KeyStore)
    assert isinstance(EphemeralKey.make(), SigningKey)


async def test_a_signature_is_one_that_a_stock_library_verifies(keys: EphemeralKeys) -> None:
    key = await keys.signing("default")
    assert key.alg == "ES256"
    signed = f"{encode(HEADER)}.{encode(b'hello')}"
    token = f"{signed}.{encode(await key.sign(signed.encode()))}"
    [public] = await keys.published("default")
    assert jws.deserialize_compact(token, ECKey.import_key(dict(public)), ["ES256"]).payload == b"hello"


async def test_what_is_published_is_public_usable_and_named_by_its_thumbprint(keys: EphemeralKeys) -> None:
    [public] = await keys.published("default")
    key = await keys.signing("default")
    assert not PRIVATE & public.keys()
    assert public["kid"] == key.kid == ECKey.import_key(dict(public)).thumbprint()
    assert (public["use"], public["alg"], public["crv"]) == ("sig", "ES256", "P-256")
    assert KeySet.of({"keys": [dict(public)]}).fitting(key.kid, "ES256") is not None


async def test_a_zone_has_one_key_and_no_other_zone_has_it(keys: EphemeralKeys) -> None:
    assert (await keys.signing("a")).kid == (await keys.signing("a")).kid != (await keys.signing("b")).kid
    assert {key["kid"] for key in await keys.published("a")} == {(await keys.signing("a")).kid}


async def test_a_rotation_signs_with_a_new_key_and_still_publishes_the_old_one(keys: EphemeralKeys) -> None:
    old = (await keys.signing("a")).kid
    rotation = await keys.rotate("a")
    assert rotation.rotated
    assert (await keys.signing("a")).kid == rotation.kid != old
    assert [key["kid"] for key in await keys.published("a")] == [rotation.kid, old]
    assert (await keys.signing("b")).kid not in (rotation.kid, old)


async def test_a_compromised_key_is_withdrawn_at_once(keys: EphemeralKeys) -> None:
    old = (await keys.signing("a")).kid
    rotation = await keys.rotate("a", compromised=True)
    assert [key["kid"] for key in await keys.published("a")] == [rotation.kid]
    assert rotation.kid != old


def test_a_key_does_not_print_what_is_private() -> None:
    key = EphemeralKey.make()
    number = key.private.private_numbers().private_value
    assert str(number) not in repr(key)
    assert f"{number:x}" not in repr(key).lower()


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_a_signature_has_its_fixed_length_whatever_its_numbers(r: int, s: int) -> None:
    raw = raw_signature(encode_dss_signature(r, s), 32)
    assert (len(raw), int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")) == (64, r, s)


async def test_two_signatures_of_one_text_verify_and_one_of_another_text_does_not() -> None:
    key = EphemeralKey.make()
    public = key.private.public_key()
    for _ in range(2):
        raw = await key.sign(b"text")
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public.verify(der, b"text", ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            public.verify(der, b"other", ec.ECDSA(hashes.SHA256()))
