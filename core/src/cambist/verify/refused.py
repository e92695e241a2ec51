"""The two ways in which a verifier says no: the token is not good here, or it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Refusal

INVALID_REQUEST = "invalid_request"
INVALID_TOKEN = "invalid_token"
INSUFFICIENT_SCOPE = "insufficient_scope"
STATUS: Mapping[str | None, int] = {None: 401, INVALID_REQUEST: 400, INVALID_TOKEN: 401, INSUFFICIENT_SCOPE: 403}
"""RFC 6750 section 3.1; None where no token was sent at all."""

REASONS: Mapping[str, tuple[str | None, str]] = {
    "token_missing": (None, "Send a token as `Authorization: Bearer …`."),
    "authorization_malformed": (INVALID_REQUEST, "Send one Authorization header: `Bearer`, one space, and the token as it was issued."),
    "body_too_large": (INVALID_REQUEST, "Send a smaller body; all of it must be read before the token can be judged."),
    "credential_too_large": (INVALID_TOKEN, "Send the access token that the token service issued."),
    "credential_malformed": (INVALID_TOKEN, "Send the access token exactly as it was issued."),
    "credential_rejected": (INVALID_TOKEN, "Ask the token service for a fresh token."),
    "token_kind_mismatch": (INVALID_TOKEN, "Exchange the credential first, and send the access token that comes of it."),
    "algorithm_refused": (INVALID_TOKEN, "Name the algorithm of the issuer's keys in `algorithms`, if it is meant."),
    "issuer_not_trusted": (INVALID_TOKEN, "Compare the issuers letter by letter: scheme, case, port and a final slash count."),
    "zone_mismatch": (INVALID_TOKEN, "Ask for the token in the zone of this API, or name the token's zone in `zone`."),
    "key_unknown": (INVALID_TOKEN, "If the issuer changed its keys a moment ago, try again in a minute; else compare kid with its JWKS."),
    "signature_invalid": (INVALID_TOKEN, "The token was altered, or signed with another key than its issuer publishes."),
    "credential_expired": (INVALID_TOKEN, "Ask for a fresh token; if it is fresh, compare the clocks."),
    "credential_not_yet_valid": (INVALID_TOKEN, "Compare the clocks of the issuer and of this API."),
    "audience_mismatch": (INVALID_TOKEN, "Ask the token service for a token with the expected audience."),
    "claim_missing": (INVALID_TOKEN, "Ask the token service for a token; every one that it issues has this claim."),
    "possession_missing": (INVALID_TOKEN, "Ask for a bearer token: this API does not check who holds the key that the token is bound to."),
    "execution_scope_unchecked": (
        INVALID_TOKEN,
        "Ask for a token without an execution scope, or let this API check it (`url` and `spent`).",
    ),
    "execution_mismatch": (INVALID_TOKEN, "Send the very request that the token was asked for: method, URL with its query, and body."),
    "replayed": (INVALID_TOKEN, "Ask for a new token for each request: one with an execution scope is good once."),
    "scope_insufficient": (INSUFFICIENT_SCOPE, "Ask the token service for this scope."),
}
"""Every reason, the error code of RFC 6750 that it is told as, and what to try."""

MAX_SAID = 512
MAX_LISTED = 20


class TokenRefused(Exception):
    """The token is not good here. `reason` is stable; `expected` and `seen` are of the API and of the caller's own token."""

    def __init__(self, reason: str, description: str, *, expected: object = None, seen: object = None, status: int | None = None) -> None:
        self.reason, self.description = reason, description
        self.expected, self.seen = short(expected), short(seen)
        self.error, self.hint = REASONS[reason]
        self.status = status or STATUS[self.error]
        super().__init__(self.sentence())

    @classmethod
    def of(cls, refusal: Refusal) -> TokenRefused:
        """What the verifier of the service itself says of a token."""
        reason = refusal.reason if refusal.reason in REASONS else "credential_rejected"
        return cls(reason, refusal.said, expected=refusal.expected, seen=refusal.seen)

    def sentence(self) -> str:
        facts = [f"{name} {_words(fact)}" for name, fact in (("expected", self.expected), ("seen", self.seen)) if fact is not None]
        return self.description.rstrip(".") + (f": {', '.join(facts)}" if facts else "")

    def document(self) -> dict[str, Any]:
        """What the caller is told in the body."""
        details = {"expected": self.expected, "seen": self.seen, "hint": self.hint}
        return {
            "error": self.error or INVALID_TOKEN,
            "error_description": self.sentence(),
            "reason": self.reason,
            "details": {name: value for name, value in details.items() if value is not None},
        }


class CannotVerify(Exception):
    """It cannot be told whether the token is good, so it is not accepted. `retry_after` is in seconds."""

    reason = "temporarily_unavailable"
    retry_after = 5


class KeysUnavailable(CannotVerify):
    """The issuer's keys cannot be fetched, and there are no earlier ones that are still believed."""

    reason = "keys_unavailable"


class SpentUnavailable(CannotVerify):
    """The store of what was used once does not answer."""

    reason = "spent_unavailable"


def short(value: object) -> object:
    """What a stranger wrote comes back to it, but not at any length."""
    if isinstance(value, str) and len(value) > MAX_SAID:
        return f"{value[:MAX_SAID]}…"
    if isinstance(value, (list, tuple)):
        return [short(item) for item in value[:MAX_LISTED]]
    return value


def _words(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "nothing"
    if isinstance(value, dict):
        return " ".join(f"{name} {one}" for name, one in value.items() if one is not None)
    return str(value)
