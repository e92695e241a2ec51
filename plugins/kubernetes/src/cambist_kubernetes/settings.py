"""What the operator says of each cluster."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Literal, Self

from pydantic import model_validator

from cambist import Field, Shape
from cambist.service_account import LEGACY
from cambist.token_review import Review
from cambist.trusted_issuer import Algorithm, TrustedIssuer

API = frozenset({"api", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"})
"""What tokens for an API server itself have as audience, where nobody chose another."""


class Cluster(TrustedIssuer):
    """One cluster. Its tokens are verified with its keys, unless it is asked about each; with both, both must say yes."""

    issuer: str = Field(min_length=1, description="Its issuer, letter by letter as in `iss`.")
    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$",
        description="What it is called here: its accounts are of the issuer `kubernetes:<name>`. Clusters with one issuer each need one.",
    )
    audience: tuple[str, ...] = Field(min_length=1, description="Audiences: its tokens must be for these alone.")
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "ES256"), min_length=1, description="Signature algorithms it may use.")
    delegation: Literal[False] = Field(False, description="A cluster asserts no chains of actors.")
    review: Review | None = Field(None, description="Ask its API server about each token: so is a pod noticed that is gone.")

    @property
    def called(self) -> str:
        """The issuer of its accounts."""
        return f"kubernetes:{self.name}" if self.name else self.issuer

    @property
    def pinned(self) -> str | None:
        """Its keys, where nobody but the operator says which they are."""
        return str(self.jwks_file or self.jwks) if self.jwks_file or self.jwks is not None else None

    @property
    def has_keys(self) -> bool:
        return self.review is None or self.jwks_url is not None or self.pinned is not None

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.issuer == LEGACY:
            raise ValueError(f"issuer: tokens of {LEGACY} never end, and every cluster has the same; none is accepted")
        if own := API.union([self.issuer]).intersection(self.audience):
            raise ValueError(f"audience: {', '.join(sorted(own))} is the API server itself; give this service an audience of its own")
        return self


class KubernetesSettings(Shape):
    """The trusted clusters."""

    clusters: tuple[Cluster, ...] = Field(min_length=1, description="One table for each trusted cluster.")

    @model_validator(mode="after")
    def _no_cluster_speaks_for_another(self) -> Self:
        names = Counter(cluster.called for cluster in self.clusters)
        if twice := {name for name, times in names.items() if times > 1}:
            raise ValueError(f"a cluster is listed twice: {', '.join(sorted(twice))}; give each a name of its own")
        for issuer, group in groupby(sorted(self.clusters, key=_issuer), _issuer):
            if len(clusters := list(group)) > 1:
                pins = [cluster.pinned for cluster in clusters]
                if not all(cluster.name and cluster.pinned for cluster in clusters) or len(set(pins)) < len(pins):
                    raise ValueError(f"clusters share {issuer}: give each a name, and keys of its own in jwks_file or jwks")
        return self


def _issuer(cluster: Cluster) -> str:
    return cluster.issuer
