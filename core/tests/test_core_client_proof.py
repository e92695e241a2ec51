"""This service proves itself to another's endpoint as that one's RFCs say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from cambist import Secret, Unavailable
from cambist.client_proof import JWT_BEARER, basic, post, private_key
from cambist.testing import MovableClock

CLOCK = MovableClock()


def test_basic_encodes_both_parts_so_that_a_url_may_be_a_clients_id() -> None:
    headers, form = basic("https://sts.example:8693", Secret("a b:%ü+"))()
    assert form == {}
    scheme, _, pair = headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "https%3A%2F%2Fsts.example%3A8693:a+b%3A%25%C3%BC%2B"


def test_post_sends_them_in_the_form() -> None:
    assert post("cambist", Secret("s"))() == ({}, {"client_id": "cambist", "client_secret": "s"})


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
def test_a_private_key_signs_a_new_assertion_for_the_issuer_alone_each_time(algorithm: str) -> None:
    members: Any = {"kid": "k1", "alg": algorithm}
    key = ECKey.generate_key("P-256", members) if algorithm == "ES256" else RSAKey.generate_key(2048, members)
    prove = private_key("cambist", Secret(json.dumps(key.as_dict(private=True))), "https://as.example", CLOCK)
    (_, first), (_, second) = prove(), prove()
    assert (first["client_id"], first["client_assertion_type"]) == ("cambist", JWT_BEARER)
    token = jwt.decode(first["client_assertion"], key, algorithms=[algorithm])
    assert (token.header["kid"], token.header["alg"]) == ("k1", algorithm)
    assert token.claims.pop("jti") != jwt.decode(second["client_assertion"], key, algorithms=[algorithm]).claims["jti"]
    now = int(CLOCK())
    assert token.claims == {"iss": "cambist", "sub": "cambist", "aud": "https://as.example", "iat": now, "exp": now + 60}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"kty":"oct","k":"c2VjcmV0LXNlY3JldA","alg":"HS256","kid":"k"}',
        json.dumps({**ECKey.generate_key("P-256").as_dict(private=False), "alg": "ES256", "kid": "k"}),
        json.dumps({**ECKey.generate_key("P-256").as_dict(private=True), "alg": "ES256"}),
    ],
)
def test_what_is_no_private_key_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(Unavailable) as refusal:
        private_key("cambist", Secret(text), "https://as.example", CLOCK)
    assert refusal.value.facts["what"] == "client_key"
    assert "c2VjcmV0" not in str(refusal.value.facts)
