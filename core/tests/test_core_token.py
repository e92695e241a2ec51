"""Claims become a signed token: typed, small enough for a header, or not at all."""

from __future__ import annotations

import msgspec
import pytest

from cambist import Permit
from cambist.compact import Compact, base64url
from cambist.entitlement import Entitlement
from cambist.errors import TokenTooLarge, Unavailable
from cambist.keys import EphemeralKeys, SigningKey
from cambist.testing import MovableClock, question
from cambist.token import MAX_TOKEN, MintedToken, draft, mint
from cambist.zone import Zone

ZONE = Zone(issuer="https://sts.example.test")


async def minted(**claims: object) -> MintedToken:
    ruling = Entitlement.narrowest(question(), Permit(claims=claims))
    return await signed(ruling, await EphemeralKeys(MovableClock()).signing("default"))


async def signed(ruling: Entitlement, key: SigningKey) -> MintedToken:
    return await mint(draft(ZONE, ruling, key, "d-1"), key, "d-1")


async def test_a_token_is_typed_and_names_its_key_and_no_more() -> None:
    """AT-01."""
    keys = EphemeralKeys(MovableClock())
    ruling = Entitlement.narrowest(question(), Permit())
    token = await signed(ruling, await keys.signing("default"))
    compact = Compact.parse(token.token)
    (published,) = await keys.published("default")
    assert compact.header == {"alg": "ES256", "kid": published["kid"], "typ": "at+jwt"}
    assert (token.token_id, token.decision_id) == (compact.claims["jti"], "d-1")
    assert (token.expires_in, token.scope, token.issued_token_type) == (300, ("read",), None)
    assert len(base64url(token.token.rpartition(".")[2])) == 64


async def test_a_token_does_not_print() -> None:
    token = await minted()
    assert token.token not in repr(token)


async def test_a_token_is_never_too_large_for_a_header() -> None:
    """AT-11: refused, not cut."""
    empty = len((await minted(pad="")).token)
    room = (MAX_TOKEN - empty) * 3 // 4
    assert MAX_TOKEN - 4 <= len((await minted(pad="a" * room)).token) <= MAX_TOKEN
    with pytest.raises(TokenTooLarge) as refused:
        await minted(pad="a" * (room + 4))
    assert set(refused.value.facts) == {"size"}


async def test_a_key_that_does_not_sign_is_unavailable() -> None:
    class Broken:
        kid, alg = "k", "ES256"

        async def sign(self, message: bytes) -> bytes:
            raise Unavailable(what="the key", cause="gone")

    with pytest.raises(Unavailable):
        await signed(Entitlement.narrowest(question(), Permit()), Broken())


async def test_claims_are_one_json_object() -> None:
    token = await minted(text='"\u2028</script>')
    assert msgspec.json.decode(base64url(token.token.split(".")[1]))["text"] == '"\u2028</script>'
