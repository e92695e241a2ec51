"""Service-account tokens as a Kubernetes API server projects them into pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambist import CredentialMalformed, Rejected, Verified


def attributes(verified: Verified) -> Mapping[str, Any]:
    """Namespace, service account, pod and node, as the cluster asserts them. Raises Rejected for any other kind of token.

    The subject is taken apart and held against the claims, so that an issuer with free-form claims cannot name any pod it likes.
    """
    bound = verified.claims.get("kubernetes.io")
    if not isinstance(bound, dict):
        raise Rejected("not a bound service-account token: the claim kubernetes.io is missing")
    namespace, account = _text(bound, "namespace"), _text(_table(bound, "serviceaccount"), "name")
    if verified.subject != f"system:serviceaccount:{namespace}:{account}":
        raise Rejected("sub and the claim kubernetes.io name different service accounts")
    return {
        "namespace": namespace,
        "serviceaccount": account,
        "serviceaccount_uid": _text(_table(bound, "serviceaccount"), "uid"),
        **{
            f"{kind}{suffix}": _text(_table(bound, kind), key)
            for kind in ("pod", "node")
            if kind in bound
            for suffix, key in (("", "name"), ("_uid", "uid"))
        },
    }


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
