"""Which public keys can be used, and for what."""

from __future__ import annotations

import contextlib
import itertools
import math
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from cambist import Unavailable
from cambist.compact import base64url, encode
from cambist.errors import KeyUnknown
from cambist.jwk import ASYMMETRIC, MAX_KEYS, MAX_REMEMBERED, KeySet, PublicKey, Remembered, undeclared

EC = ECKey.generate_key("P-256").as_dict(private=False)
RSA = RSAKey.generate_key(2048).as_dict(private=False)
ED = OKPKey.generate_key("Ed25519").as_dict(private=False)


def one(key: object) -> KeySet:
    return KeySet.of({"keys": [key]})


def spelt(number: int, size: int) -> str:
    return encode(number.to_bytes(size, "big"))


def _number(text: object) -> int:
    return int.from_bytes(base64url(str(text)), "big")


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (EC, {"ES256"}),
        (ECKey.generate_key("P-384").as_dict(private=False), {"ES384"}),
        (ECKey.generate_key("P-521").as_dict(private=False), {"ES512"}),
        (ED, {"EdDSA", "Ed25519"}),
        (ED | {"alg": "EdDSA"}, {"EdDSA", "Ed25519"}),
        (ED | {"alg": "Ed25519"}, {"EdDSA", "Ed25519"}),
        (RSA, {"RS256"}),
        (RSA | {"alg": "PS256"}, {"PS256"}),
        (RSA | {"alg": "RS512"}, {"RS512"}),
        (EC | {"use": "sig", "key_ops": ["verify"], "alg": "ES256"}, {"ES256"}),
        (EC | {"unheard": "of", "x5c": ["junk"], "exp": 5}, {"ES256"}),
        (RSA | {"e": "Aw"}, {"RS256"}),
        (RSA | {"e": spelt(2**32 - 1, 4)}, {"RS256"}),
    ],
)
def test_a_key_has_one_algorithm(key: dict[str, Any], algorithms: set[str]) -> None:
    [usable] = one(key | {"kid": "a"}).keys
    assert usable.kid == "a"
    assert usable.algorithms == algorithms
    assert usable.algorithms <= ASYMMETRIC


@pytest.mark.parametrize(
    ("key", "because"),
    [
        ("a key", "not an object"),
        (None, "not an object"),
        (EC | {"use": "enc"}, "not for signatures"),
        (EC | {"use": ["sig"]}, "not for signatures"),
        (EC | {"use": None}, "not for signatures"),
        (EC | {"key_ops": ["sign"]}, "not for signatures"),
        (EC | {"key_ops": []}, "not for signatures"),
        (EC | {"key_ops": "verify"}, "not for signatures"),
        (EC | {"key_ops": 5}, "not for signatures"),
        (EC | {"key_ops": None}, "not for signatures"),
        (EC | {"kid": ""}, "kid is not a short string"),
        (EC | {"kid": 5}, "kid is not a short string"),
        (EC | {"kid": "k" * 257}, "kid is not a short string"),
        (EC | {"kty": "oct"}, "not an asymmetric key"),
        (EC | {"kty": ["EC"]}, "not an asymmetric key"),
        ({}, "not an asymmetric key"),
        (OctKey.generate_key(256).as_dict(), "not an asymmetric key"),
        (ECKey.generate_key("P-256").as_dict(private=True), "private half is public"),
        (RSAKey.generate_key(2048).as_dict(private=True), "private half is public"),
        (EC | {"k": "AAAA"}, "private half is public"),
        (EC | {"alg": "RS256"}, "alg does not fit"),
        (EC | {"alg": "ES384"}, "alg does not fit"),
        (EC | {"alg": "HS256"}, "alg does not fit"),
        (EC | {"alg": "none"}, "alg does not fit"),
        (EC | {"alg": ""}, "alg does not fit"),
        (EC | {"alg": ["ES256"]}, "alg does not fit"),
        (EC | {"alg": {"a": 1}}, "alg does not fit"),
        (RSA | {"alg": "EdDSA"}, "alg does not fit"),
        (EC | {"crv": "P-384"}, "not a sound key"),
        (EC | {"crv": "secp256k1"}, "not a sound key"),
        (ECKey.generate_key("secp256k1").as_dict(private=False), "alg does not fit"),
        (EC | {"crv": 5}, "not a sound key"),
        (EC | {"x": EC["y"]}, "not a sound key"),
        (EC | {"x": 5}, "not a sound key"),
        (EC | {"x": "="}, "not a sound key"),
        (RSA | {"n": spelt(2**1023 + 1, 128)}, "not a sound key"),
        (RSA | {"n": spelt(2**8200 + 1, 1026)}, "not a sound key"),
        (RSA | {"e": "AQ"}, "not a sound key"),
        (RSA | {"e": "AA"}, "not a sound key"),
        (RSA | {"e": spelt(2**32, 5)}, "not a sound key"),
        (RSA | {"e": spelt(2**32 + 1, 5)}, "not a sound key"),
        (RSA | {"e": spelt(65538, 3)}, "not a sound key"),
        (RSA | {"n": None}, "not a sound key"),
        (RSA | {"n": spelt(_number(RSA["n"]) + 1, 256)}, "not a sound key"),
        (RSA | {"n": spelt(_number(RSA["n"]) // 997 * 997 | 1 << 2047, 256)}, "not a sound key"),
        (ED | {"crv": "X25519"}, "alg does not fit"),
        (OKPKey.generate_key("Ed448").as_dict(private=False), "alg does not fit"),
        (ED | {"x": "AAAA"}, "not a sound key"),
    ],
)
def test_a_key_that_cannot_be_used_is_left_out_and_spoils_nothing(key: Any, because: str) -> None:
    mixed = KeySet.of({"keys": [key, EC | {"kid": "good"}]})
    assert [usable.kid for usable in mixed.keys] == ["good"]
    assert because in mixed.dropped[0]


def modulus(bits: int) -> int:
    """A number of that many bits in which nothing but its size can be wrong."""
    return next(n for n in itertools.count((1 << bits - 1) + 1, 2) if math.gcd(n, math.prod(range(3, 1000, 2))) == 1)


@pytest.mark.filterwarnings("ignore:Key size should be")  # the library only warns, so it is ours to refuse
@pytest.mark.parametrize(("bits", "usable"), [(1024, False), (2047, False), (2048, True), (8192, True), (8193, False), (16384, False)])
def test_an_rsa_key_is_neither_short_nor_endless(bits: int, usable: bool) -> None:
    """RFC 7518 section 3.3, and one verification must not take long."""
    found = one(RSA | {"n": spelt(modulus(bits), (bits + 7) // 8)})
    assert bool(found.keys) is usable
    assert found.dropped == (() if usable else ("None: not a sound key",))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_one_private_member_is_enough_to_distrust_a_key(member: str) -> None:
    """RFC 7518 sections 6.2.2, 6.3.2 and 6.4: each of them gives the key away, or most of it."""
    assert one(RSA | {member: "AQAB"}).dropped == ("None: its private half is public, so it proves nothing",)


SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("spelling", SMALL_ORDER)
def test_a_point_under_which_anybody_can_sign_is_no_key(spelling: str) -> None:
    raw = bytes.fromhex(spelling)
    key = Ed25519PublicKey.from_public_bytes(raw)  # the library takes it, and a signature of nobody's for one message of eight
    forged = 0
    for number in range(64):
        with contextlib.suppress(InvalidSignature):
            key.verify(b"\x01" + bytes(63), b"%d" % number)
            forged += 1
    assert forged
    refused = one({"kty": "OKP", "crv": "Ed25519", "x": encode(raw)})
    assert not refused.keys
    assert "not a sound key" in refused.dropped[0]


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["EC", "RSA", "OKP", "sig", "verify", "AQAB"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["kty", "n", "e", "crv", "x", "y", "kid", "use", "key_ops", "alg", "d", "x5c"])


@given(st.sampled_from([EC, RSA | {"alg": "PS256"}, ED]), st.dictionaries(MEMBERS, JUNK, max_size=3))
def test_no_junk_in_a_key_is_ever_more_than_a_reason_to_leave_it_out(good: dict[str, Any], junk: dict[str, Any]) -> None:
    found = one(good | junk)
    assert len(found.keys) + len(found.dropped) == 1


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": [EC] * (MAX_KEYS + 1)}])
def test_what_is_no_key_set_is_refused_whole(document: object) -> None:
    with pytest.raises(Unavailable) as refused:
        KeySet.of(document)
    assert refused.value.facts["cause"] == "it is not a JWK set"


def test_a_key_set_may_be_as_large_as_the_bound_and_so_may_a_kid() -> None:
    many = [EC | {"kid": f"{number:0256}"} for number in range(101)]
    keys = KeySet.of({"keys": many[:100]})
    assert (len(keys.keys), keys.dropped) == (100, ())
    with pytest.raises(Unavailable):
        KeySet.of({"keys": many})


def test_a_key_is_distrusted_by_its_kid_or_by_its_thumbprint_where_it_has_none() -> None:
    """RFC 7638."""
    (named,), (nameless,) = one(EC | {"kid": "a"}).keys, one(EC).keys
    assert (named.id, nameless.id) == ("a", ECKey.import_key(EC).thumbprint())


def test_a_kid_selects_and_nothing_is_tried_in_turn() -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    keys = KeySet.of({"keys": [EC | {"kid": "a"}, other | {"kid": "b"}, RSA | {"kid": "a"}]})
    found = keys.fitting("b", "ES256")
    assert found is not None
    assert found.kid == "b"
    assert keys.find("a", "RS256").algorithms == {"RS256"}  # one kid, two kinds: the algorithm tells
    for kid, algorithm in (("c", "ES256"), ("b", "RS256"), ("a", "PS256"), (None, "ES256"), ("", "ES256"), (5, "ES256"), (["a"], "ES256")):
        assert keys.fitting(kid, algorithm) is None


def test_two_keys_of_one_kid_are_none() -> None:
    keys = KeySet.of({"keys": [EC | {"kid": "a"}, ECKey.generate_key("P-256").as_dict(private=False) | {"kid": "a"}]})
    assert len(keys.keys) == 2
    assert keys.fitting("a", "ES256") is None


def test_without_a_kid_the_only_key_that_fits_is_taken() -> None:
    keys = KeySet.of({"keys": [EC | {"kid": "a"}, RSA]})
    found = keys.fitting(None, "ES256")
    assert found is not None
    assert found.kid == "a"
    assert keys.fitting("a", "RS256") is None  # a key without kid is not the one that a kid names


def test_a_key_that_is_not_there_is_refused_with_what_was_asked_for() -> None:
    with pytest.raises(KeyUnknown) as refused:
        one(EC).find("b", "ES256")
    assert refused.value.seen == {"kid": "b", "alg": "ES256"}
    with pytest.raises(KeyUnknown) as refused:
        one(EC).find(5, "ES256")
    assert refused.value.seen == {"kid": None, "alg": "ES256"}


@pytest.mark.parametrize(
    ("allowed", "algorithm"),
    [
        (["RS256", "PS256"], "RS256"),
        (["PS256"], "PS256"),
        (["ES256", "PS384"], "PS384"),
        (["PS256", "RS384"], "RS384"),
        (["ES256"], "RS256"),
        ([], "RS256"),
    ],
)
def test_what_an_rsa_key_is_for_that_does_not_say_so_follows_from_what_its_issuer_may_use(allowed: list[str], algorithm: str) -> None:
    keys = KeySet.of({"keys": [RSA | {"kid": "a"}, RSA | {"kid": "b", "alg": "RS512"}]}, rsa=undeclared(allowed))
    assert [key.algorithms for key in keys.keys] == [{algorithm}, {"RS512"}]


def test_a_modulus_of_the_chips_that_make_weak_ones_is_no_key() -> None:
    """CVE-2017-15361: their primes, and so their products, are powers of 65537 to every small prime."""
    small = math.prod(n for n in range(2, 168) if all(n % d for d in range(2, n)))
    weak = pow(65537, 12345, small) + (1 << 2047) // small * small + small
    while any(weak % n == 0 for n in range(2, 1000)):
        weak += small
    assert "not a sound key" in one(RSA | {"n": spelt(weak, 256)}).dropped[0]
    assert one(RSA | {"n": spelt(_number(RSA["n"]), 256)}).keys


# ── signatures that were verified before ────────────────────────────────────────────────────────────────


def test_what_is_remembered_of_signatures_is_bounded_and_the_oldest_goes_first() -> None:
    remembered = Remembered()
    assert MAX_REMEMBERED == 4096
    digests = [number.to_bytes(4, "big") for number in range(MAX_REMEMBERED + 1)]
    for digest in digests:
        remembered.add(digest)
    assert digests[0] not in remembered
    assert all(digest in remembered for digest in digests[1:])


def test_every_key_object_remembers_for_itself() -> None:
    document = {"keys": [ECKey.generate_key("P-256", {"kid": "a", "alg": "ES256"}).as_dict(private=False)]}
    one, other = KeySet.of(document).keys[0], KeySet.of(document).keys[0]
    before = repr(one)
    one.verified.add(b"digest")
    assert b"digest" not in other.verified
    assert (one, repr(one)) == (other, before)  # it is no part of what the key is
    made: Any = PublicKey
    with pytest.raises(TypeError):
        made(one.key, one.kid, one.algorithms, verified=one.verified)
    with pytest.raises(TypeError):
        made(one.key, one.kid, one.algorithms, one.verified)
