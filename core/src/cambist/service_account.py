"""What a token says of a Kubernetes service account: read as an API server writes it, and held against itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import ClaimMissing, CredentialMalformed, LegacyToken, SubjectContradicted

LEGACY = "kubernetes/serviceaccount"
"""The issuer, in every cluster, of tokens that lie in a Secret and never end."""

_FLAT = "kubernetes.io/serviceaccount/"
"""How the claims of such tokens begin."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""RFC 1123, as Kubernetes names things: a colon in one would give two accounts one `sub`."""


def check_bound(claims: Mapping[str, Any]) -> None:
    """Raises LegacyToken for a token out of a Secret: it has no end and no audience, and its claims are flat."""
    if claims.get("iss") == LEGACY or any(name.startswith(_FLAT) for name in claims):
        raise LegacyToken()


def facts(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Namespace, service account, pod and node, as the cluster asserts them. Raises Rejected in one of its kinds.

    The subject is taken apart and held against the claims, so that an issuer with free-form claims cannot name any pod it likes.
    """
    bound = claims.get("kubernetes.io")
    if not isinstance(bound, dict):
        raise ClaimMissing("not a bound service-account token: the claim kubernetes.io is missing", expected="kubernetes.io")
    account = _table(bound, "serviceaccount")
    namespace, name = _name(bound, "namespace"), _name(account, "name")
    if claims["sub"] != (expected := f"system:serviceaccount:{namespace}:{name}"):
        raise SubjectContradicted("sub and the claim kubernetes.io name different service accounts", expected=expected, seen=claims["sub"])
    told = {"namespace": namespace, "serviceaccount": name, "serviceaccount_uid": _text(account, "uid")}
    for kind in ("pod", "node"):
        if kind in bound:
            told |= {kind: _text(_table(bound, kind), "name"), f"{kind}_uid": _text(_table(bound, kind), "uid")}
    return told


def _table(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = claims.get(name)
    if not isinstance(value, dict):
        raise CredentialMalformed(f"kubernetes.io.{name} is not an object")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise CredentialMalformed(f"{name} in kubernetes.io is missing or not text")
    return value


def _name(claims: Mapping[str, Any], name: str) -> str:
    if not _NAME.fullmatch(value := _text(claims, name)):
        raise CredentialMalformed(f"{name} in kubernetes.io is no name that Kubernetes gives")
    return value
