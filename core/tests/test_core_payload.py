"""What is signed, and was perhaps taken apart already: read under a good signature, and not otherwise."""

from __future__ import annotations

import pytest

from cambist import Credential, CredentialMalformed, Expected, Role, SignatureInvalid
from cambist.compact import Compact
from cambist.egress import Egress, EgressSettings
from cambist.errors import AlgorithmRefused, KeyUnknown
from cambist.jwk import KeySet
from cambist.jwts import Jwts, payload
from cambist.testing import DeafHttp, Forge, MovableClock
from cambist.token_type import JWT
from cambist.value import replace


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


async def test_a_credential_is_taken_apart_once_and_verified_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MovableClock()
    forge = Forge("https://issuer.example", "https://sts.example", clock)
    jwts = Jwts(Egress(EgressSettings(), DeafHttp()), clock)
    expected = Expected(issuer=forge.issuer, keys=jwts.keys(forge.issuer, jwks=forge.jwks), algorithms=frozenset({"ES256"}))
    good, bad = (
        Credential(token=each.jwt(), token_type=JWT, role=Role.SUBJECT) for each in (forge, Forge(forge.issuer, forge.audience, clock))
    )
    parsed = [replace(credential, parts=Compact.parse(credential.token)) for credential in (good, bad)]
    assert (await jwts.verify(good, expected)).expected is expected

    def again(text: str) -> Compact:
        raise AssertionError("it was taken apart already")

    monkeypatch.setattr(Compact, "parse", again)
    assert (await jwts.verify(parsed[0], expected)).expected is expected
    with pytest.raises(SignatureInvalid):
        await jwts.verify(parsed[1], expected)
