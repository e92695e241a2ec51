"""What is signed and is no JWT: read under a good signature, and not otherwise."""

from __future__ import annotations

import pytest

from cambist import CredentialMalformed, SignatureInvalid
from cambist.errors import AlgorithmRefused, KeyUnknown
from cambist.jwk import KeySet
from cambist.jwts import payload
from cambist.testing import Forge, MovableClock


def test_what_is_signed_is_read_only_under_a_signature_that_is_good() -> None:
    forge = Forge("https://issuer.example", "https://sts.example", MovableClock())
    keys, signed = KeySet.of(forge.jwks), forge.signed({"alg": "ES256", "kid": "k1"}, b"anything at all")
    assert payload(signed, keys) == b"anything at all"
    for wrong, kind in (
        (f"{signed[:-8]}AAAAAAAA", SignatureInvalid),
        (forge.signed({"alg": "ES256", "kid": "k2"}, b"any"), KeyUnknown),
        (forge.signed({"alg": "none", "kid": "k1"}, b"any"), AlgorithmRefused),
        ("no jws", CredentialMalformed),
    ):
        with pytest.raises(kind):
            payload(wrong, keys)
    with pytest.raises(AlgorithmRefused):
        payload(signed, keys, frozenset({"RS256"}))
