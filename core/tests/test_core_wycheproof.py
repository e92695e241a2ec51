"""Public vectors against the code that verifies: Wycheproof's JWS and key files, and the cookbook of RFC 7520 and 8037.

What differs from their verdict is declared, by category, with the reason; it is always that we refuse more.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cambist import CredentialMalformed, Rejected
from cambist.compact import base64url, encode
from cambist.errors import AlgorithmRefused, KeyUnknown, Refusal
from cambist.jwk import KeySet, undeclared
from cambist.jwts import payload

CORPORA = Path(os.environ.get("CAMBIST_CORPORA") or Path(__file__).parents[3] / "shared" / "corpora")

pytestmark = pytest.mark.skipif(not (CORPORA / "wycheproof-jose").is_dir(), reason="the corpora are not at hand")

EMPTY = "an empty payload is no JWT, and is refused with the shape of the text"
BOUND = "the key declares another algorithm than the header names (tcId 346, 347, 350, 351: the README lets us be stricter)"


@dataclass(frozen=True)
class Vector:
    """One text, the key set it is held against, and what is said of it."""

    name: str
    text: object
    keys: dict[str, Any]
    good: bool
    comment: str


@cache
def read(path: str) -> Any:
    return json.loads((CORPORA / path).read_text("utf-8"))


def wycheproof(file: str) -> Iterator[Vector]:
    """Every case that has a public key: HMAC has none, and does not exist here. JWE is not read at all."""
    for group in read(f"wycheproof-jose/{file}.json")["testGroups"]:
        for case in group["tests"]:
            if "public" in group and "jws" in case:
                keys = group["public"] if "keys" in group["public"] else {"keys": [group["public"]]}
                yield Vector(f"{group['comment']}-{case['tcId']}", case["jws"], keys, case["result"] == "valid", case["comment"])


def verdict(vector: Vector) -> bytes | Refusal:
    text = vector.text if isinstance(vector.text, str) else json.dumps(vector.text)
    try:
        return payload(text, KeySet.of(vector.keys, rsa=undeclared(["RS256"])))
    except Rejected as refusal:
        return refusal


def declared(vector: Vector, told: Refusal) -> str | None:
    """Why a good vector is refused."""
    head, body, _ = str(vector.text).split(".")
    if not body and type(told) is CredentialMalformed:
        return EMPTY
    algorithm = json.loads(base64url(head))["alg"]
    named = {key.get("alg", algorithm) for key in vector.keys["keys"]}
    return BOUND if type(told) is KeyUnknown and algorithm not in named else None


@pytest.mark.parametrize("file", ["json_web_signature_test", "json_web_key_test", "json_web_crypto_test"])
def test_wycheproof_is_decided_as_it_says_or_more_strictly_for_a_reason(file: str) -> None:
    decided: Counter[bool] = Counter()
    for vector in wycheproof(file):
        told = verdict(vector)
        if vector.good and isinstance(told, Refusal):
            assert declared(vector, told) is not None, (vector.name, vector.comment, told)
        else:
            assert isinstance(told, bytes) == vector.good, (vector.name, vector.comment, told)
            decided[vector.good] += 1
    assert decided[True]
    assert decided[False] > 5


def test_hmac_does_not_exist_here() -> None:
    groups = [g for g in read("wycheproof-jose/json_web_signature_test.json")["testGroups"] if "public" not in g]
    texts = [(case["jws"], g["private"]) for g in groups for case in g["tests"] if isinstance(case["jws"], str)]
    assert texts
    for text, private in texts:
        with pytest.raises((AlgorithmRefused, CredentialMalformed, KeyUnknown)):
            payload(text, KeySet.of({"keys": [private]}))


# ── the cookbook ────────────────────────────────────────────────────────────────────────────────────────


def compact_of(file: str) -> tuple[str, dict[str, Any], bytes]:
    vector = read(f"jose-cookbook/{file}.json")
    public = {name: value for name, value in vector["input"]["key"].items() if name in {"kty", "kid", "use", "n", "e", "crv", "x", "y"}}
    return vector["output"]["compact"], public, vector["input"]["payload"].encode()


@pytest.mark.parametrize(
    ("file", "algorithm"),
    [
        ("jws/4_1.rsa_v15_signature", "RS256"),
        ("jws/4_2.rsa-pss_signature", "PS384"),
        ("jws/4_3.ecdsa_signature", "ES512"),
        ("curve25519/jws", "EdDSA"),
    ],
)
def test_the_signatures_of_the_cookbook_verify_and_one_changed_bit_ends_them(file: str, algorithm: str) -> None:
    text, public, said = compact_of(file)
    keys = KeySet.of({"keys": [public]}, rsa=algorithm)
    assert payload(text, keys) == said
    head, body, signature = text.split(".")
    changed = bytearray(said)
    changed[0] ^= 1
    with pytest.raises(Rejected):
        payload(f"{head}.{encode(bytes(changed))}.{signature}", keys)
    with pytest.raises(AlgorithmRefused):
        payload(text, keys, frozenset({"ES256"}))
    assert body


@pytest.mark.parametrize(
    "file", ["jws/4_5.signature_with_detached_content", "jws/4_6.protecting_specific_header_fields", "jws/4_8.multiple_signatures"]
)
def test_what_is_not_one_compact_signature_is_refused_in_every_form_of_it(file: str) -> None:
    output = read(f"jose-cookbook/{file}.json")["output"]
    key = read("jose-cookbook/jwk/3_3.rsa_public_key.json")
    for form in output.values():
        with pytest.raises(CredentialMalformed):
            payload(form if isinstance(form, str) else json.dumps(form), KeySet.of({"keys": [key]}))


@pytest.mark.parametrize("file", sorted(path.stem for path in (CORPORA / "jose-cookbook" / "jwe").glob("*.json")))
def test_nothing_encrypted_is_even_opened(file: str) -> None:
    for form in read(f"jose-cookbook/jwe/{file}.json")["output"].values():
        with pytest.raises(CredentialMalformed):
            payload(form if isinstance(form, str) else json.dumps(form), KeySet.of({"keys": []}))


@pytest.mark.parametrize(
    ("file", "usable"),
    [
        ("3_1.ec_public_key", True),
        ("3_3.rsa_public_key", True),
        ("3_2.ec_private_key", False),
        ("3_4.rsa_private_key", False),
        ("3_5.symmetric_key_mac_computation", False),
        ("3_6.symmetric_key_encryption", False),
    ],
)
def test_of_the_keys_of_the_cookbook_the_public_ones_can_be_used(file: str, usable: bool) -> None:
    assert bool(KeySet.of({"keys": [read(f"jose-cookbook/jwk/{file}.json")]}).keys) == usable
