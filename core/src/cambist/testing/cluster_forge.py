"""A Kubernetes cluster of the test's own: it projects tokens into pods, and its API server reviews them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..clock import Clock
from ..compact import Compact
from ..errors import Refusal
from ..jwk import KeySet
from ..jwts import payload
from .forge import ABSENT, Forge

CLUSTER = "https://kubernetes.default.svc.cluster.local"


class KubernetesForge(Forge):
    """Signs tokens as a projected volume has them: no `typ`, a list of audiences, bound to a pod."""

    def __init__(
        self, audience: str, clock: Clock, *, issuer: str = CLUSTER, algorithm: str = "RS256", kid: str = "cluster-1", pod: str = "77aa"
    ) -> None:
        super().__init__(issuer, audience, clock, algorithm=algorithm, kid=kid)
        self.pod = pod

    def bound(self, **changes: Any) -> dict[str, Any]:
        """The claim `kubernetes.io`."""
        good = {
            "namespace": "shop",
            "node": {"name": "node-7", "uid": "0b1f"},
            "pod": {"name": "checkout-5d9c", "uid": self.pod},
            "serviceaccount": {"name": "checkout", "uid": "c0ff"},
            "warnafter": int(self.clock()) + 300,
        }
        return {name: value for name, value in (good | changes).items() if value is not ABSENT}

    def claims(self, **changes: Any) -> dict[str, Any]:
        usual = {
            "sub": "system:serviceaccount:shop:checkout",
            "aud": [self.audience],
            "nbf": int(self.clock()),
            "kubernetes.io": self.bound(),
        }
        return super().claims(**{**usual, **changes})

    def jwt(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        return super().jwt({"typ": ABSENT, **(header or {})}, **changes)

    def legacy(self, **changes: Any) -> str:
        """What lay in a Secret until Kubernetes 1.24, and still does in many clusters: for ever, and for whoever reads it."""
        flat = {
            "kubernetes.io/serviceaccount/namespace": "shop",
            "kubernetes.io/serviceaccount/secret.name": "checkout-token-x7k2p",
            "kubernetes.io/serviceaccount/service-account.name": "checkout",
            "kubernetes.io/serviceaccount/service-account.uid": "c0ff",
        }
        bare = dict.fromkeys(("aud", "exp", "iat", "nbf", "jti", "kubernetes.io"), ABSENT)
        return self.jwt(**{**bare, "iss": "kubernetes/serviceaccount", **flat, **changes})

    def wrong(self, folder: Path | None = None) -> dict[str, str]:
        own = "https://kubernetes.default.svc.cluster.local"
        claims: dict[str, dict[str, Any]] = {
            "without the cluster's claim": {"kubernetes.io": ABSENT},
            "naming another account in the cluster's claim": {"kubernetes.io": self.bound(serviceaccount={"name": "admin", "uid": "1"})},
            "naming another namespace in the cluster's claim": {"kubernetes.io": self.bound(namespace="kube-system")},
            "whose parts could be put together otherwise": {
                "sub": "system:serviceaccount:shop:a:b",
                "kubernetes.io": self.bound(namespace="shop:a", serviceaccount={"name": "b", "uid": "c0ff"}),
            },
            "bound to half a pod": {"kubernetes.io": self.bound(pod={"name": "checkout-5d9c"})},
        }
        return super().wrong(folder) | {
            "for the API server itself (Kubernetes: default audience)": self.jwt(aud=[own]),
            "for the API server too (RFC 8725 section 3.9)": self.jwt(aud=[self.audience, own]),
            "legacy, out of a Secret": self.legacy(),
            "legacy, with the cluster's issuer": self.legacy(iss=self.issuer),
            "legacy, with an end and an audience": self.legacy(iss=self.issuer, aud=self.audience, exp=int(self.clock()) + 600),
            "of an issuer with a slash more": self.jwt(iss=f"{self.issuer}/"),
            **{f"{rule} (Kubernetes: service-account tokens)": self.jwt(**changes) for rule, changes in claims.items()},
        }


class ApiServer:
    """Answers TokenReviews as a kube-apiserver does; `deleted` are uids of pods that are gone, `callers` the bearer tokens it knows."""

    def __init__(self, forge: KubernetesForge, *callers: str) -> None:
        self.forge, self.callers = forge, set(callers)
        self.deleted: set[str] = set()
        self.reviewed: list[dict[str, Any]] = []

    def answer(self, authorization: str | None, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status of the answer, and its document."""
        if authorization not in {f"Bearer {caller}" for caller in self.callers}:
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized"}
            return 401, {**status, "reason": "Unauthorized", "code": 401}
        review: dict[str, Any] = json.loads(body)
        self.reviewed.append(review)
        spec = review["spec"]
        told = {"kind": review["kind"], "apiVersion": review["apiVersion"], "metadata": {"creationTimestamp": None}, "spec": spec}
        try:
            return 201, {**told, "status": self._authenticated(spec["token"], spec.get("audiences") or [self.forge.issuer])}
        except (Refusal, ValueError) as error:
            return 201, {**told, "status": {"user": {}, "error": f"[invalid bearer token, {error}]"}}

    def _authenticated(self, token: str, audiences: list[str]) -> dict[str, Any]:
        claims = msgspec.json.decode(payload(token, KeySet.of(self.forge.jwks)), type=dict[str, Any])
        bound = claims["kubernetes.io"]
        if Compact.parse(token).issuer != self.forge.issuer or claims["exp"] <= self.forge.clock():
            raise ValueError("service account token has expired")
        if not (compatible := [audience for audience in audiences if audience in claims["aud"]]):
            raise ValueError(f"token audiences {claims['aud']} is invalid for the target audiences {audiences}")
        if bound.get("pod", {}).get("uid") in self.deleted:
            raise ValueError("service account token has been invalidated")
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{bound['namespace']}", "system:authenticated"]
        user = {"username": claims["sub"], "uid": bound["serviceaccount"]["uid"], "groups": groups, "extra": self._extra(claims, bound)}
        return {"authenticated": True, "user": user, "audiences": compatible}

    def _extra(self, claims: Mapping[str, Any], bound: Mapping[str, Any]) -> dict[str, list[str]]:
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims.get('jti')}"]}
        for kind in ("node", "pod"):
            if kind in bound:
                extra |= {f"authentication.kubernetes.io/{kind}-{key}": [bound[kind][key]] for key in ("name", "uid")}
        return extra
