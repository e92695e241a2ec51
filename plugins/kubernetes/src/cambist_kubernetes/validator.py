"""Judges service-account tokens: finds whose cluster it is, and holds what the cluster asserts against itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cambist import (
    AudienceMismatch,
    Credential,
    Expected,
    Identity,
    Proven,
    Refusal,
    Rejected,
    SignatureInvalid,
    Unavailable,
    Unverified,
    Verified,
)
from cambist.check import Check, Sample, Source, State, Trust
from cambist.egress import Egress
from cambist.errors import AlgorithmRefused, AudienceNotSole, ClusterAmbiguous, IssuerNotTrusted, KeyUnknown
from cambist.issuer_check import Published
from cambist.jwts import Jwts, check_type
from cambist.service_account import LEGACY, check_bound, facts
from cambist.token_check import Rule, examined
from cambist.token_review import TokenReview
from cambist.token_type import JWT, KUBERNETES_SA

from .settings import Cluster, KubernetesSettings


@dataclass(frozen=True, slots=True)
class Trusted:
    """A cluster, what its tokens must be, and whom to ask about them."""

    cluster: Cluster
    expected: Expected
    review: TokenReview | None

    @property
    def sources(self) -> Iterator[Source]:
        if self.cluster.has_keys:
            yield Published(self.expected)
        if self.review is not None:
            yield self.review

    def rules(self, _: Expected) -> Iterator[Rule]:
        yield "bound", lambda verified: check_bound(verified.claims)
        yield "kubernetes.io", lambda verified: facts(verified.claims)
        yield "sole audience", lambda verified: _check_sole(self.cluster, verified.audience)


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
        trusted, verified = await self._verified(credential, unverified, candidates)
        told = facts(verified.claims)
        _check_audience(trusted.cluster, verified.audience)
        if trusted.review is not None:
            await trusted.review.check(credential.token, verified.subject, told["serviceaccount_uid"])
        attributes = {**verified.claims, **told, "cluster": trusted.cluster.name or trusted.cluster.issuer}
        return verified.proven(identity=Identity(issuer=trusted.cluster.called, subject=verified.subject, attributes=attributes))

    async def _verified(self, credential: Credential, unverified: Unverified, candidates: Sequence[Trusted]) -> tuple[Trusted, Verified]:
        """Clusters may share an issuer: whose keys verify it, that one's it is. Without keys, the one that is asked vouches for it."""
        if not candidates[0].cluster.has_keys:
            # An API server does not look at it: its key may sign something else one day (RFC 8725 section 3.11).
            check_type(unverified.header, candidates[0].expected)
            return candidates[0], self._jwts.told(unverified.claims, candidates[0].expected)
        found: list[tuple[Trusted, Verified]] = []
        failed: list[Rejected | Unavailable] = []
        for each in candidates:
            try:
                found.append((each, await self._jwts.verify(credential, each.expected)))
            except (AlgorithmRefused, KeyUnknown, SignatureInvalid, Unavailable) as error:
                failed.append(error)
        if len(found) > 1:
            raise ClusterAmbiguous(seen=unverified.issuer, clusters=[each.cluster.called for each, _ in found])
        if not found:
            # A bad signature is only certain when all keys were there to be compared with.
            raise next((error for error in failed if isinstance(error, Unavailable)), failed[0])
        return found[0]

    @property
    def trusts(self) -> Sequence[Trust]:
        found = [each for group in self._trusted.values() for each in group]
        return [Trust(issuer=each.cluster.issuer, name=each.cluster.name or "", sources=list(each.sources)) for each in found]

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        """Of clusters that share an issuer, those of the one whose token it looks most like."""
        each = [await self._diagnosed(sample, name, place) for name, group in self._trusted.items() for place in range(len(group))]
        return min(each, key=lambda checks: sum(check.state is State.FAILED for check in checks))

    async def _diagnosed(self, sample: Sample, issuer: str, place: int) -> Sequence[Check]:
        trusted = self._trusted[issuer][place]
        by_keys = trusted.cluster.has_keys
        checks = await examined(self._jwts, sample, {issuer: trusted.expected}, trusted.rules, by_keys=by_keys)
        if trusted.review is None or any(check.state is State.FAILED for check in checks):
            return checks  # no API server is given a token that may be for somebody else
        return [*checks, await _reviewed(trusted.review, sample.credential)]


async def _reviewed(review: TokenReview, credential: Credential) -> Check:
    claims = credential.unverified().claims
    try:
        await review.check(credential.token, claims["sub"], facts(claims)["serviceaccount_uid"])
    except Refusal as refusal:
        return Check.refused("review", refusal)
    return Check.passed("review", "the API server authenticates it")


def _check_audience(cluster: Cluster, audience: frozenset[str]) -> None:
    if audience.isdisjoint(cluster.audience):
        raise AudienceMismatch(expected=sorted(cluster.audience), seen=sorted(audience))
    _check_sole(cluster, audience)


def _check_sole(cluster: Cluster, audience: frozenset[str]) -> None:
    """A token that is also for the API server, or for anybody else, can be used there by whoever was given it."""
    if not audience.issubset(cluster.audience) and not audience.isdisjoint(cluster.audience):
        raise AudienceNotSole(expected=sorted(cluster.audience), seen=sorted(audience))
