"""Who a credential proved to be, and how far that proof carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import field

from .value import Noted, Value


class Identity(Noted, frozen=True, kw_only=True):
    """One party: who vouches for it, and what that issuer calls it. Attributes are facts for policy, never authority by themselves."""

    NOTES = frozenset({"attributes"})

    issuer: str
    subject: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def same_as(self, other: Identity) -> bool:
        """Compared whole: a subject without its issuer names nobody."""
        return (self.issuer, self.subject) == (other.issuer, other.subject)


class MayAct(Value, frozen=True, kw_only=True):
    """Whom the subject's issuer allows to act for it (RFC 8693 section 4.4)."""

    subject: str
    issuer: str


class Proven(Value, frozen=True, kw_only=True):
    """One verified credential: the identity, and the bounds of its proof. Only validators make one; the guard checks it.

    `token_id` names the credential at its issuer, and `key_id` the issuer's key that signed it: by either it can be revoked.
    With `single_use_until` it is accepted once, and remembered until then. `audience` is for whom it was issued, None where
    such a proof has no audience; `meant_for` is the audience the operator configured for this issuer in place of the zone's
    own, and `default_target` what tokens of this issuer are exchanged for when a request names no target. `expires_at` is in
    seconds since 1970.
    """

    identity: Identity
    expires_at: float
    token_type: str = ""
    audience: frozenset[str] | None = None
    meant_for: frozenset[str] = frozenset()
    scope: frozenset[str] | None = None
    token_id: str | None = None
    key_id: str | None = None
    single_use_until: float | None = None
    confirmation: str | None = None
    chain: tuple[Identity, ...] = ()
    may_act: MayAct | None = None
    transaction: str | None = None
    default_target: str | None = None
