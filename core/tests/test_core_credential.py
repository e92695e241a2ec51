"""What can be seen of a credential before it is judged, and what cannot."""

from __future__ import annotations

import pytest

from cambist import Credential, CredentialMalformed, Role, Unverified
from cambist.compact import encode
from cambist.credential import NOTHING
from cambist.testing import Forge, MovableClock
from cambist.token_type import JWT


def credential(token: str) -> Credential:
    return Credential(token=token, token_type=JWT, role=Role.SUBJECT)


def test_of_a_jwt_one_sees_issuer_header_and_claims() -> None:
    token = Forge("https://issuer.test", "https://sts.test", MovableClock()).jwt(sub="a")
    seen = credential(token).unverified()
    assert (seen.token_type, seen.issuer, seen.header["alg"], seen.claims["sub"]) == (JWT, "https://issuer.test", "ES256", "a")


@pytest.mark.parametrize("token", ["cbk_key", "<saml/>", "a.b", "a.b.c.d", "{}", ""])
def test_of_anything_else_one_sees_the_declared_type(token: str) -> None:
    assert credential(token).unverified() == Unverified(token_type=JWT)


def test_what_looks_like_a_jwt_and_is_none_is_refused() -> None:
    with pytest.raises(CredentialMalformed):
        credential(f"{encode(b'[]')}.{encode(b'{}')}.AA").unverified()


def test_neither_token_nor_claims_are_printed() -> None:
    token = Forge("https://issuer.test", "https://sts.test", MovableClock()).jwt(sub="nobody-else-s-business")
    seen = credential(token)
    assert token not in repr(seen)
    assert "nobody-else-s-business" not in repr(seen.unverified())


def test_by_itself_a_credential_comes_with_no_proof_of_possession() -> None:
    assert credential("a").possession is NOTHING
    assert not NOTHING.thumbprints
    assert [str(role) for role in Role] == ["subject", "actor", "client"]
