"""What the key store `keys-file` promises of its keys: they sign as their name says, and show only their public half."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

from cambist import KeyStore, SigningKey, Unavailable
from cambist.hooks import CanPing, HasCommand
from cambist.testing import MovableClock
from cambist_keys_file.algorithm import ALGORITHMS
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys

pytestmark = pytest.mark.row("P-keys-file")

KEK = "a1" * 16 + "5e" * 16
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
MESSAGE = b"eyJhbGciOiJFUzI1NiJ9.e30"


def kept(folder: Path, clock: MovableClock | None = None, **changes: Any) -> FileKeys:
    settings = KeysFileSettings.model_validate({"directory": folder / "keys", "kek": KEK, **changes})
    return FileKeys.opened(settings, clock or MovableClock())


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def verify(jwk: Mapping[str, str], alg: str, signature: bytes, message: bytes) -> None:
    """With `cryptography` alone, from the published members; raises InvalidSignature."""
    if alg in ("ES256", "ES384"):
        curve, digest, size = (ec.SECP256R1(), hashes.SHA256(), 32) if alg == "ES256" else (ec.SECP384R1(), hashes.SHA384(), 48)
        assert len(signature) == 2 * size
        point = ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), curve).public_key()
        der = encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
        point.verify(der, message, ec.ECDSA(digest))
    elif alg in ("EdDSA", "Ed25519"):
        Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "==")).verify(signature, message)
    else:
        modulus = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()
        fitting = padding.PKCS1v15() if alg == "RS256" else padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
        modulus.verify(signature, message, fitting, hashes.SHA256())


def test_it_fits_the_seam_and_its_capabilities(tmp_path: Path) -> None:
    store = kept(tmp_path)
    assert isinstance(store, KeyStore)
    assert isinstance(store, CanPing)
    assert isinstance(store, HasCommand)


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_signature_verifies_with_cryptography_alone(tmp_path: Path, alg: str) -> None:
    store = kept(tmp_path, algorithm=alg)
    key = await store.signing("default")
    (jwk,) = await store.published("default")
    assert isinstance(key, SigningKey)
    assert key.alg == jwk["alg"] == alg
    signature = await key.sign(MESSAGE)
    verify(jwk, alg, signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        verify(jwk, alg, signature, MESSAGE + b"x")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "RS256", "PS256", "Ed25519"])
async def test_a_signature_verifies_with_a_stock_jose_library(tmp_path: Path, alg: str) -> None:
    store = kept(tmp_path, algorithm=alg)
    key = await store.signing("default")
    (jwk,) = await store.published("default")
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": key.kid}).encode()).rstrip(b"=")
    signed = head + b".e30"
    token = signed + b"." + base64.urlsafe_b64encode(await key.sign(signed)).rstrip(b"=")
    found = jws.deserialize_compact(token, JWKRegistry.import_key(dict(jwk)), registry=JWSRegistry(algorithms=[alg]))
    assert found.payload == b"{}"
    assert JWKRegistry.import_key(dict(jwk)).thumbprint() == key.kid


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_kid_is_the_thumbprint_as_rfc_7638_spells_it(tmp_path: Path, alg: str) -> None:
    store = kept(tmp_path, algorithm=alg)
    (jwk,) = await store.published("default")
    required = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in required}, separators=(",", ":"), sort_keys=True)
    assert jwk["kid"] == base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_only_public_members_are_published(tmp_path: Path, alg: str) -> None:
    store = kept(tmp_path, algorithm=alg)
    await store.rotate("default")
    for jwk in await store.published("default"):
        assert not PRIVATE_MEMBERS & jwk.keys()
        assert {"kid", "use", "alg", "kty"} <= jwk.keys()
        assert jwk["use"] == "sig"


async def test_a_key_survives_a_restart(tmp_path: Path) -> None:
    before = await kept(tmp_path).signing("default")
    store = kept(tmp_path)
    after = await store.signing("default")
    assert after.kid == before.kid
    (jwk,) = await store.published("default")
    verify(jwk, "ES256", await after.sign(MESSAGE), MESSAGE)


async def test_asking_for_the_published_keys_makes_the_first_one(tmp_path: Path) -> None:
    store = kept(tmp_path)
    (jwk,) = await store.published("default")
    assert jwk["kid"] == (await store.signing("default")).kid


async def test_each_zone_has_keys_of_its_own(tmp_path: Path) -> None:
    store = kept(tmp_path)
    kids = {zone: (await store.signing(zone)).kid for zone in ("default", "blue", "a-1")}
    assert len(set(kids.values())) == 3
    for zone, kid in kids.items():
        assert [jwk["kid"] for jwk in await store.published(zone)] == [kid]


@pytest.mark.parametrize("name", ["", "../default", "a/b", "/etc/passwd", ".", "Default", "a" * 64, "-a", "a\n", "a\x00"])
async def test_a_name_that_no_zone_can_have_touches_no_file(tmp_path: Path, name: str) -> None:
    store = kept(tmp_path)
    for ask in (store.signing, store.published, store.rotate):
        with pytest.raises(Unavailable):
            await ask(name)
    assert list(tmp_path.rglob("*")) == [tmp_path / "keys"]


async def test_another_algorithm_begins_with_the_next_key(tmp_path: Path) -> None:
    clock = MovableClock()
    old = await kept(tmp_path, clock).signing("default")
    store = kept(tmp_path, clock, algorithm="Ed25519")
    assert (await store.signing("default")).kid == old.kid
    await store.rotate("default")
    clock.move(360)
    assert (await store.signing("default")).alg == "Ed25519"
    assert [jwk["alg"] for jwk in await store.published("default")] == ["Ed25519", "ES256"]


@pytest.mark.parametrize(("alg", "hops"), [("ES256", 0), ("ES384", 0), ("EdDSA", 0), ("RS256", 1), ("PS256", 1)])
async def test_only_slow_signatures_leave_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alg: str, hops: int) -> None:
    key = await kept(tmp_path, algorithm=alg).signing("default")
    counted = []
    to_thread = asyncio.to_thread

    async def counting(work: Any, *arguments: Any) -> Any:
        counted.append(work)
        return await to_thread(work, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", counting)
    await key.sign(MESSAGE)
    assert len(counted) == hops


async def test_ping_tells_whether_the_directory_is_there(tmp_path: Path) -> None:
    store = kept(tmp_path)
    await store.ping()
    (tmp_path / "keys").rmdir()
    with pytest.raises(Unavailable) as refused:
        await store.ping()
    assert refused.value.facts["cause"] == "No such file or directory"
