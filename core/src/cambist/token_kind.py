"""Tells ID tokens from access tokens, and both from the rest, where an issuer gives all of them the same `typ` header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .errors import KindMismatch

ID: Final = "ID token"
ACCESS: Final = "access token"

_DECLARED = {"id": ID, "bearer": ACCESS, "dpop": ACCESS, "access": ACCESS}
"""What Keycloak writes in the claim `typ`, and Cognito in `token_use`; other values there name other kinds."""
_ONLY_IN = {"at_hash": ID, "c_hash": ID, "nonce": ID, "scope": ACCESS, "scp": ACCESS}
"""OpenID Connect Core section 2 and RFC 9068 section 2.2: what one kind has and the other has not."""

_DECLARING = ("typ", "token_use")
_TELLING = frozenset({*_DECLARING, *_ONLY_IN})


def check_kind(expected: str, claims: Mapping[str, Any]) -> None:
    """Raises KindMismatch when its claims tell that a token is of another kind (RFC 9068 section 5, RFC 8725 section 3.12)."""
    if (seen := _kind(claims)) not in (None, expected):
        raise KindMismatch(f"this is no {expected}", expected=expected, seen=seen)


def _kind(claims: Mapping[str, Any]) -> str | None:
    if _TELLING.isdisjoint(claims):
        return None
    for name in _DECLARING:
        if isinstance(declared := claims.get(name), str):
            return _DECLARED.get(declared.lower(), f"{declared[:40]} token")
    return next((kind for name, kind in _ONLY_IN.items() if name in claims), None)
