"""What a JWT must be to be believed, and what it proves then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import CredentialMalformed, Rejected
from .identity import Identity, MayAct, Proven
from .jwks import Keys
from .value import Value, replace

PLAIN = frozenset({"jwt"})
"""The `typ` of a JWT that is no more than a JWT; an absent one means the same."""
AT_JWT = "at+jwt"
"""The `typ` of access tokens (RFC 9068 section 2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a JWT must be to be believed.

    `leeway`, in seconds, covers clocks that differ when a token is new; there is none after it has expired, because
    nothing that we issue may outlive what it was issued for. `grace` is such a leeway, for proofs that bound nothing.
    `subject` is the claim that names whom it is about.
    """

    issuer: str
    keys: Keys
    algorithms: frozenset[str]
    types: frozenset[str] = PLAIN
    audiences: frozenset[str] = frozenset()
    leeway: float = 60.0
    grace: float = 0.0
    max_lifetime: float = 86_400.0
    may_delegate: bool = False
    subject: str = "sub"
    default_target: str | None = None


class Verified(Value, frozen=True):
    """The claims of a JWT whose signature, issuer and times are proved; read from the very bytes that were signed."""

    claims: Mapping[str, Any]
    expected: Expected
    key_id: str | None = None

    @property
    def subject(self) -> str:
        return str(self.claims[self.expected.subject])

    @property
    def expires_at(self) -> float:
        return float(self.claims["exp"])

    @property
    def audience(self) -> frozenset[str]:
        audience = self.claims["aud"]
        return frozenset([audience] if isinstance(audience, str) else audience)

    @property
    def chain(self) -> tuple[Identity, ...]:
        """Who acts, and who acted before, the latest first (RFC 8693 section 4.1). Raises CredentialMalformed, Rejected."""
        return _chain(self.claims, self.expected)

    def text(self, name: str) -> str | None:
        """A claim that must be text if it is there; raises CredentialMalformed."""
        value = self.claims.get(name)
        if value is not None and not isinstance(value, str):
            raise CredentialMalformed(f"the claim {name} is not text")
        return value

    def proven(self, **more: Any) -> Proven:
        """The bounds of this proof, as far as the claims tell them; `more` adds or replaces."""
        scope = self.text("scope")
        proven = Proven(
            identity=Identity(issuer=self.expected.issuer, subject=self.subject, attributes=self.claims),
            expires_at=self.expires_at,
            audience=self.audience,
            meant_for=self.expected.audiences,
            default_target=self.expected.default_target,
            scope=None if scope is None else frozenset(scope.split()),
            token_id=self.text("jti"),
            key_id=self.key_id,
            confirmation=_confirmation(self.claims),
            chain=self.chain,
            may_act=_may_act(self.claims, self.expected.issuer),
        )
        return replace(proven, **more) if more else proven


def _confirmation(claims: Mapping[str, Any]) -> str | None:
    if "cnf" not in claims:
        return None
    cnf = claims["cnf"]
    # Kinds we cannot check are still a binding: they must never pass as a bearer token.
    if isinstance(cnf, dict) and isinstance(cnf.get("jkt"), str):
        return str(cnf["jkt"])
    return "unsupported"


def _chain(claims: Mapping[str, Any], expected: Expected) -> tuple[Identity, ...]:
    if "act" in claims and not expected.may_delegate:
        raise Rejected("its issuer may not assert a delegation here")
    chain = []
    while "act" in claims:
        claims = claims["act"]
        chain.append(_party(claims, expected.issuer, "act"))
    return tuple(chain)


def _may_act(claims: Mapping[str, Any], issuer: str) -> MayAct | None:
    if "may_act" not in claims:
        return None
    named = _party(claims["may_act"], issuer, "may_act")
    if unknown := claims["may_act"].keys() - {"sub", "iss"}:
        # A condition that is not understood cannot be met (RFC 8693 section 4.4).
        raise Rejected("may_act has conditions that are not supported", seen=sorted(unknown))
    return MayAct(subject=named.subject, issuer=named.issuer)


def _party(value: object, issuer: object, claim: str) -> Identity:
    """A party inside a claim; its issuer is the token's unless it names another."""
    if isinstance(value, dict):
        subject, issuer = value.get("sub"), value.get("iss", issuer)
        if isinstance(subject, str) and subject and isinstance(issuer, str) and issuer:
            return Identity(issuer=issuer, subject=subject)
    raise CredentialMalformed(f"{claim} does not name an actor")
