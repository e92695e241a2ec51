"""How the calling application proves itself: by exactly one method, out of header and parameters."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.client_assertion import JWT_BEARER
from cambist.client_secret import CLIENT_SECRET, credential_text
from cambist.credential import Credential, Role
from cambist.errors import CallerUnproved, Malformed, ParameterInvalid, ParameterMissing
from cambist.wire.call import Call
from cambist.wire.client import client, client_id
from cambist.wire.parameters import Parameters

TEXT = st.text(st.characters(codec="utf-8"), min_size=1)


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return f"{scheme} {base64.b64encode(raw).decode()}"


def found(*authorization: str, **values: str) -> Credential | None:
    return client(Call(method="POST", path="/", headers=tuple(("Authorization", v) for v in authorization)), Parameters(values))


def test_without_any_proof_there_is_none() -> None:
    assert found() is None
    assert found(client_id="ci") is None
    assert found(client_id="ci", client_secret="", client_assertion="") is None


@given(TEXT, TEXT)
def test_basic_carries_any_id_and_secret_form_encoded(name: str, secret: str) -> None:
    """TE-08."""
    sent = found(basic(f"{quote_plus(name)}:{quote_plus(secret)}"))
    assert sent is not None
    assert (sent.token, sent.token_type, sent.role) == (credential_text(name, secret), CLIENT_SECRET, Role.CLIENT)


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_the_scheme_has_no_case(scheme: str) -> None:
    assert found(basic("ci:s", scheme)) == found(basic("ci:s"))


def test_id_and_secret_may_come_in_the_body() -> None:
    for name in ("client_id", "application_id"):
        assert found(**{name: "ci", "client_secret": "s:%"}) == found(basic("ci:s%3A%25"))
    with pytest.raises(ParameterMissing, match="client_id is required with client_secret"):
        found(client_secret="s")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Bearer abc", "only Basic"),
        ("Bearer ", "only Basic"),
        ("", "only Basic"),
        ("Digest a=b", "only Basic"),
        ("Basic", "incomplete"),
        ("Basic !!!", "cannot be read"),
        ("Basic Y2k6cw", "cannot be read"),
        ("Basic Y2k6cw== x", "cannot be read"),
        (basic(b"ci:\xff"), "cannot be read"),
        (basic("ci:%ff"), "cannot be read"),
        (basic("ci"), "incomplete"),
        (basic("ci:"), "incomplete"),
        (basic(":s"), "incomplete"),
        ("Basic " + "A" * 20_000, "incomplete"),
    ],
)
def test_an_authorization_that_proves_nobody_is_refused(header: str, said: str) -> None:
    with pytest.raises(CallerUnproved, match=said):
        found(header)


def test_two_authorization_headers_are_refused() -> None:
    with pytest.raises(Malformed, match="authorization is repeated"):
        found(basic("ci:s"), basic("ci:s"))


@pytest.mark.parametrize("several", [{"client_secret", "header"}, {"client_assertion", "header"}, {"client_secret", "client_assertion"}])
def test_two_ways_at_once_are_refused(several: set[str]) -> None:
    """TE-07, RFC 6749 section 2.3."""
    sent = dict.fromkeys(several - {"header"}, "x")
    with pytest.raises(ParameterInvalid, match="more than one way"):
        found(*([basic("ci:s")] if "header" in several else []), client_id="ci", client_assertion_type=JWT_BEARER, **sent)


def test_an_assertion_comes_with_its_type_and_alone() -> None:
    """CA-01."""
    assert found(client_assertion="\na.b.c ", client_assertion_type=JWT_BEARER) == Credential(
        token="a.b.c", token_type=JWT_BEARER, role=Role.CLIENT
    )
    with pytest.raises(CallerUnproved, match="client_assertion_type is required"):
        found(client_assertion="a.b.c")
    with pytest.raises(CallerUnproved, match="client_assertion is required"):
        found(client_assertion_type=JWT_BEARER)


@pytest.mark.parametrize("kind", ["urn:ietf:params:oauth:client-assertion-type:saml2-bearer", JWT_BEARER.upper(), "jwt"])
def test_any_other_type_of_assertion_is_refused(kind: str) -> None:
    """CA-15."""
    with pytest.raises(CallerUnproved, match="not served"):
        found(client_assertion="a.b.c", client_assertion_type=kind)


def test_application_id_is_another_name_of_client_id() -> None:
    """SF-08."""
    assert client_id(Parameters({"client_id": "ci"})) == "ci"
    assert client_id(Parameters({"application_id": "ci"})) == "ci"
    assert client_id(Parameters({"client_id": "ci", "application_id": "ci"})) == "ci"
    assert client_id(Parameters({})) is None
    with pytest.raises(ParameterInvalid, match="differ"):
        client_id(Parameters({"client_id": "ci", "application_id": "cd"}))
