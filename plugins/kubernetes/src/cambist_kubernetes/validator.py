"""Judges service-account tokens: finds whose cluster it is, and holds what the cluster asserts against itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cambist import AudienceMismatch, Credential, Expected, Identity, Proven, Rejected, SignatureInvalid, Unavailable, Unverified, Verified
from cambist.egress import Egress
from cambist.errors import AlgorithmRefused, AudienceNotSole, ClusterAmbiguous, IssuerNotTrusted, KeyUnknown, KindMismatch
from cambist.jwts import Jwts, media_type
from cambist.service_account import LEGACY, check_bound, facts
from cambist.token_review import TokenReview
from cambist.token_type import JWT, KUBERNETES_SA

from .settings import Cluster, KubernetesSettings


@dataclass(frozen=True, slots=True)
class Trusted:
    """A cluster, what its tokens must be, and whom to ask about them."""

    cluster: Cluster
    expected: Expected
    review: TokenReview | None


class ServiceAccounts:
    """Takes the tokens of the clusters that are listed, and those that no cluster should issue any more, to say so."""

    token_types = frozenset({JWT, KUBERNETES_SA})

    def __init__(self, settings: KubernetesSettings, http: Egress, jwts: Jwts) -> None:
        self._jwts = jwts
        self._trusted: dict[str, list[Trusted]] = {}
        for cluster in settings.clusters:
            review = TokenReview(cluster.called, cluster.audience, cluster.review, http) if cluster.review else None
            self._trusted.setdefault(cluster.issuer, []).append(Trusted(cluster, cluster.expected(jwts, "JWT"), review))
        self.issuers = frozenset({LEGACY, *self._trusted, *(cluster.called for cluster in settings.clusters)})

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self._trusted or unverified.issuer == LEGACY

    async def validate(self, credential: Credential) -> Proven:
        unverified = credential.unverified()
        check_bound(unverified.claims)
        if not (candidates := self._trusted.get(unverified.issuer or "")):
            raise IssuerNotTrusted(seen=unverified.issuer)
        trusted, verified = await self._verified(credential.token, unverified, candidates)
        told = facts(verified.claims)
        _check_audience(trusted.cluster, verified.audience)
        if trusted.review is not None:
            await trusted.review.check(credential.token, verified.subject, told["serviceaccount_uid"])
        attributes = {**verified.claims, **told, "cluster": trusted.cluster.name or trusted.cluster.issuer}
        return verified.proven(identity=Identity(issuer=trusted.cluster.called, subject=verified.subject, attributes=attributes))

    async def _verified(self, token: str, unverified: Unverified, candidates: Sequence[Trusted]) -> tuple[Trusted, Verified]:
        """Clusters may share an issuer: whose keys verify it, that one's it is. Without keys, the one that is asked vouches for it."""
        if not candidates[0].cluster.has_keys:
            _check_kind(unverified, candidates[0].expected)
            return candidates[0], self._jwts.told(unverified.claims, candidates[0].expected)
        found: list[tuple[Trusted, Verified]] = []
        failed: list[Rejected | Unavailable] = []
        for each in candidates:
            try:
                found.append((each, await self._jwts.verify(token, each.expected)))
            except (AlgorithmRefused, KeyUnknown, SignatureInvalid, Unavailable) as error:
                failed.append(error)
        if len(found) > 1:
            raise ClusterAmbiguous(seen=unverified.issuer, clusters=[each.cluster.called for each, _ in found])
        if not found:
            # A bad signature is only certain when all keys were there to be compared with.
            raise next((error for error in failed if isinstance(error, Unavailable)), failed[0])
        return found[0]


def _check_kind(unverified: Unverified, expected: Expected) -> None:
    """An API server does not look at it: its key may sign something else one day (RFC 8725 section 3.11)."""
    typ = unverified.header.get("typ", "JWT")
    if media_type(str(typ)) not in expected.types:
        raise KindMismatch("a token of this kind is not accepted here", expected=sorted(expected.types), seen=typ)


def _check_audience(cluster: Cluster, audience: frozenset[str]) -> None:
    """A token that is also for the API server, or for anybody else, can be used there by whoever was given it."""
    if audience.isdisjoint(cluster.audience):
        raise AudienceMismatch(expected=sorted(cluster.audience), seen=sorted(audience))
    if not audience.issubset(cluster.audience):
        raise AudienceNotSole(expected=sorted(cluster.audience), seen=sorted(audience))
