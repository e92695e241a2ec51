"""Private keys at rest and at work: under the KEK, in their place, and nowhere else."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cambist import Unavailable
from cambist.testing import MovableClock
from cambist_keys_file import document
from cambist_keys_file.algorithm import thumbprint
from cambist_keys_file.file_key import FileKey
from cambist_keys_file.sealing import NotOpened, Sealing
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys
from cambist_keys_file.testing import KEK, cause_of, kept, made, refuses_all, signer, unchecked

pytestmark = pytest.mark.row("P-keys-file")

OTHER_KEK = "7e" * 32


async def test_another_kek_is_refused_at_open_and_in_use(tmp_path: Path) -> None:
    file = await made(tmp_path)
    good = file.read_bytes()
    with pytest.raises(Unavailable) as refused:
        kept(tmp_path, kek=OTHER_KEK)
    assert refused.value.facts == {"what": "the key file of zone default", "cause": "it was written under another KEK"}
    other = FileKeys(KeysFileSettings.model_validate({"directory": tmp_path / "keys", "kek": OTHER_KEK}), MovableClock())
    assert await refuses_all(other)
    assert file.read_bytes() == good


async def test_one_kek_in_two_spellings_is_the_same(tmp_path: Path) -> None:
    first = await signer(kept(tmp_path))
    raw = bytes.fromhex(KEK)
    for spelt in (KEK.upper(), base64.urlsafe_b64encode(raw).decode(), base64.urlsafe_b64encode(raw).rstrip(b"=").decode()):
        assert await signer(kept(tmp_path, kek=spelt)) == first


async def test_no_two_files_share_salt_or_ciphertext(tmp_path: Path) -> None:
    store = kept(tmp_path)
    rings = [await store.ring(zone) for zone in ("default", "blue")]
    assert rings[0].salt != rings[1].salt
    assert len(rings[0].salt) == 32


BOUND = {"zone": "default", "alg": "ES256"}


def test_a_wrapped_key_opens_only_in_its_place() -> None:
    sealing, private = Sealing(b"k" * 32, b"s" * 32), ec.generate_private_key(ec.SECP256R1())
    kid = thumbprint(private)
    wrapped = sealing.wrap(private, kid=kid, **BOUND)
    assert thumbprint(sealing.unwrap(wrapped, kid=kid, **BOUND)) == kid
    for change in ({"zone": "blue"}, {"kid": "other"}, {"alg": "ES384"}):
        with pytest.raises(NotOpened):
            sealing.unwrap(wrapped, **{"kid": kid, **BOUND, **change})
    for other in (Sealing(b"K" * 32, b"s" * 32), Sealing(b"k" * 32, b"S" * 32)):
        with pytest.raises(NotOpened):
            other.unwrap(wrapped, kid=kid, **BOUND)


def test_a_wrapped_key_under_a_name_that_is_not_its_thumbprint_does_not_open() -> None:
    sealing, private = Sealing(b"k" * 32, b"s" * 32), ec.generate_private_key(ec.SECP256R1())
    wrapped = sealing.wrap(private, kid="mine", **BOUND)
    with pytest.raises(NotOpened, match="another key"):
        sealing.unwrap(wrapped, kid="mine", **BOUND)


@pytest.mark.parametrize("at", [0, 11, 12, 60, -17, -1])
def test_a_wrapped_key_with_a_changed_byte_does_not_open(at: int) -> None:
    sealing, private = Sealing(b"k" * 32, b"s" * 32), ec.generate_private_key(ec.SECP256R1())
    kid = thumbprint(private)
    wrapped = bytearray(sealing.wrap(private, kid=kid, **BOUND))
    wrapped[at] ^= 1
    with pytest.raises(NotOpened):
        sealing.unwrap(bytes(wrapped), kid=kid, **BOUND)


def test_a_wrapped_key_that_is_cut_does_not_open() -> None:
    sealing = Sealing(b"k" * 32, b"s" * 32)
    for size in (0, 5, 12, 20, 28):
        with pytest.raises(NotOpened):
            sealing.unwrap(b"x" * size, kid="any", **BOUND)


async def test_a_sealed_file_whose_keys_do_not_open_signs_nothing(tmp_path: Path) -> None:
    file = await made(tmp_path)
    ring, sealing = document.read(file.read_bytes(), "default", [bytes.fromhex(KEK)])
    one, other = ring.keys
    file.write_bytes(document.written(replace(ring, keys=(replace(one, wrapped=other.wrapped), other)), sealing))
    assert await cause_of(unchecked(tmp_path).signing("default")) == f"key {one.kid} cannot be decrypted"
    file.write_bytes(document.written(replace(ring, keys=(one, replace(other, wrapped=None))), sealing))
    assert await signer(unchecked(tmp_path)) == one.kid


# ── nothing leaks ───────────────────────────────────────────────────────────────────────────────────────────


def spellings(private: ec.EllipticCurvePrivateKey) -> list[bytes]:
    """Every way in which the private number might come to light."""
    raw = private.private_numbers().private_value.to_bytes(32, "big")
    der = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return [raw, raw.hex().encode(), base64.b64encode(raw)[:42], base64.urlsafe_b64encode(raw)[:42], base64.b64encode(der)[:100]]


async def test_nothing_private_is_in_files_reprs_logs_or_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = MovableClock()
    with caplog.at_level(logging.DEBUG):
        store = kept(tmp_path, clock)
        key = await store.signing("default")
        await store.rotate("default")
        file = tmp_path / "keys" / "default.json"
        good = file.read_bytes()
        file.write_bytes(good[:-30])
        clock.move(1)
        with pytest.raises(Unavailable) as refused:
            await store.signing("default")
    assert isinstance(key, FileKey)
    private = key._private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    ring = unchecked(tmp_path)
    file.write_bytes(good)
    shown = [repr(store), str(key), repr(key), repr(store.settings), repr(await ring.ring("default")), repr(ring._zones), caplog.text]
    shown += [str(refused.value), repr(refused.value), repr(refused.value.facts)]
    for text in [good, *(text.encode() for text in shown)]:
        assert not [spelling for spelling in [*spellings(private), KEK.encode(), bytes.fromhex(KEK)] if spelling in text]
    assert repr(key) == f"FileKey(kid={key.kid!r}, alg='ES256')"


def test_a_stolen_number_would_be_found_by_these_spellings() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    jwk_d = base64.urlsafe_b64encode(private.private_numbers().private_value.to_bytes(32, "big")).rstrip(b"=")
    assert any(spelling in b'{"d":"' + jwk_d + b'"}' for spelling in spellings(private))
