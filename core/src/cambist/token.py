"""Claims become a signed token."""

from __future__ import annotations

from functools import lru_cache

from msgspec.json import Encoder

from .compact import encode, encoded_size
from .entitlement import Entitlement
from .errors import TokenTooLarge
from .keys import SigningKey
from .profiles import access_token
from .value import Value
from .verified import AT_JWT
from .zone import Zone

MAX_TOKEN = 4096
"""Bytes: more does not pass the header limits of resource servers (AT-11)."""

SIGNATURE = {"ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64, "Ed25519": 64}
RSA_SIGNATURE = 512
"""Bytes of a signature: of those of one size, and of the longest RSA key that signs here (4,096 bits)."""

_ENCODER = Encoder()


class MintedToken(Value, frozen=True, kw_only=True):
    """A token of this service, and what its holder needs to know. `expires_in` is in seconds."""

    UNSEEN = frozenset({"token"})

    token: str
    token_id: str
    decision_id: str
    issued_token_type: str | None
    expires_in: int
    scope: tuple[str, ...]


class Draft(Value, frozen=True, kw_only=True):
    """A token but for its signature: what can be refused about it has been, before anything is spent for it."""

    signing_input: str
    token_id: str
    entitlement: Entitlement


def draft(zone: Zone, entitlement: Entitlement, key: SigningKey, decision_id: str) -> Draft:
    """The decision's id becomes the transaction's, unless the subject brought one. Pure, but for the token's own random id.

    Raises TokenTooLarge when nobody would take it, IdentifierTooLong when somebody cannot be named.
    """
    claims = access_token(zone, entitlement, decision_id)
    signing_input = f"{_header(key.alg, key.kid)}.{encode(_ENCODER.encode(claims))}"
    size = len(signing_input) + 1 + encoded_size(SIGNATURE.get(key.alg, RSA_SIGNATURE))
    if size > MAX_TOKEN:
        raise TokenTooLarge(size=size)
    return Draft(signing_input=signing_input, token_id=claims["jti"], entitlement=entitlement)


@lru_cache(256)
def _header(alg: str, kid: str) -> str:
    return encode(_ENCODER.encode({"alg": alg, "kid": kid, "typ": AT_JWT}))


async def mint(draft: Draft, key: SigningKey, decision_id: str) -> MintedToken:
    """Sign it. Raises Unavailable when the key does not."""
    signature = await key.sign(draft.signing_input.encode())
    return MintedToken(
        token=f"{draft.signing_input}.{encode(signature)}",
        token_id=draft.token_id,
        decision_id=decision_id,
        issued_token_type=draft.entitlement.issued_token_type,
        expires_in=draft.entitlement.lifetime,
        scope=draft.entitlement.scope,
    )
