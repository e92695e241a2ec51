"""Claims become a signed token."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from .compact import encode
from .entitlement import Entitlement
from .errors import TokenTooLarge
from .keys import SigningKey
from .own_token import AT_JWT
from .profiles import access_token
from .zone import Zone

MAX_TOKEN = 4096
"""Bytes: more does not pass the header limits of resource servers (AT-11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedToken:
    """A token of this service, and what its holder needs to know. `expires_in` is in seconds."""

    token: str = field(repr=False)
    token_id: str
    decision_id: str
    issued_token_type: str | None
    expires_in: int
    scope: tuple[str, ...]


async def mint(zone: Zone, entitlement: Entitlement, key: SigningKey, decision_id: str) -> MintedToken:
    """The decision's id becomes the transaction's, unless the subject brought one.

    Raises Unavailable when the key does not sign, TokenTooLarge when nobody would take it.
    """
    claims = access_token(zone, entitlement, decision_id)
    header = {"alg": key.alg, "kid": key.kid, "typ": AT_JWT}
    signed = f"{encode(msgspec.json.encode(header))}.{encode(msgspec.json.encode(claims))}"
    token = f"{signed}.{encode(await key.sign(signed.encode()))}"
    if len(token) > MAX_TOKEN:
        raise TokenTooLarge(size=len(token))
    return MintedToken(
        token=token,
        token_id=claims["jti"],
        decision_id=decision_id,
        issued_token_type=entitlement.issued_token_type,
        expires_in=entitlement.lifetime,
        scope=entitlement.scope,
    )
