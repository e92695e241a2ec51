"""Service-account tokens of a Kubernetes cluster, as its API server projects them into pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cambist import Credential, CredentialMalformed, Proven, Rejected, Role
from cambist.egress import Egress, EgressSettings
from cambist.errors import Refusal
from cambist.jwts import Jwts
from cambist.testing import ABSENT, AllowAll, Forge, MovableClock, open_sts
from cambist.token_type import JWT
from cambist_jwt.settings import JwtSettings
from cambist_jwt.validator import JwtValidator

CLUSTER, STS = "https://kubernetes.default.svc.cluster.local", "https://sts.example.test"
SUBJECT = "system:serviceaccount:shop:checkout"
BOUND: dict[str, Any] = {
    "namespace": "shop",
    "node": {"name": "node-7", "uid": "0b1f"},
    "pod": {"name": "checkout-5d9c", "uid": "77aa"},
    "serviceaccount": {"name": "checkout", "uid": "c0ff"},
    "warnafter": 1_800_018_007,
}


class Cluster(Forge):
    """An API server."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__(CLUSTER, STS, clock, algorithm="RS256")

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """As a projected volume has it: no `typ`, a list of audiences, a bound pod."""
        usual = {"sub": SUBJECT, "aud": [STS], "kubernetes.io": BOUND, "nbf": int(self.clock())}
        return self.jwt({"typ": ABSENT, **(header or {})}, **{**usual, **changes})


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(MovableClock())


@pytest.fixture
async def plugin(cluster: Cluster) -> AsyncIterator[JwtValidator]:
    settings = JwtSettings.model_validate({"issuers": [{"issuer": CLUSTER, "jwks": cluster.jwks, "preset": "kubernetes"}]})

    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was called")

    async with Egress(EgressSettings(), httpx.MockTransport(nobody)) as http:
        yield JwtValidator(settings, Jwts(http, cluster.clock))


async def judged(plugin: JwtValidator, token: str) -> Proven:
    return await plugin.validate(Credential(token=token, token_type=JWT, role=Role.SUBJECT))


@pytest.mark.row("T-jwt")
async def test_the_facts_of_the_cluster_become_attributes(cluster: Cluster, plugin: JwtValidator) -> None:
    proven = await judged(plugin, cluster.token())
    assert (proven.identity.issuer, proven.identity.subject) == (CLUSTER, SUBJECT)
    told = {
        "namespace": "shop",
        "serviceaccount": "checkout",
        "serviceaccount_uid": "c0ff",
        "pod": "checkout-5d9c",
        "pod_uid": "77aa",
        "node": "node-7",
        "node_uid": "0b1f",
    }
    assert told.items() <= proven.identity.attributes.items()
    assert (proven.audience, proven.expires_at) == (frozenset({STS}), cluster.clock() + 600)


async def test_a_token_that_is_bound_to_no_pod_has_no_pod(cluster: Cluster, plugin: JwtValidator) -> None:
    bound = {name: value for name, value in BOUND.items() if name not in ("pod", "node")}
    attributes = (await judged(plugin, cluster.token(**{"kubernetes.io": bound}))).identity.attributes
    assert attributes["namespace"] == "shop"
    assert not {"pod", "node", "pod_uid", "node_uid"} & attributes.keys()


async def test_what_the_cluster_asserts_wins_over_claims_of_the_same_name(cluster: Cluster, plugin: JwtValidator) -> None:
    attributes = (await judged(plugin, cluster.token(namespace="kube-system", pod="etcd"))).identity.attributes
    assert (attributes["namespace"], attributes["pod"]) == ("shop", "checkout-5d9c")


@pytest.mark.parametrize(
    "subject",
    [
        "system:serviceaccount:kube-system:checkout",
        "system:serviceaccount:shop:admin",
        "system:serviceaccount:shop:checkout:x",
        "system:serviceaccount:shop",
        "SYSTEM:serviceaccount:shop:checkout",
        "system:node:node-7",
        "checkout",
    ],
)
async def test_a_subject_that_the_claims_do_not_confirm_is_refused(cluster: Cluster, plugin: JwtValidator, subject: str) -> None:
    with pytest.raises(Rejected, match="name different service accounts"):
        await judged(plugin, cluster.token(sub=subject))


@pytest.mark.parametrize("bound", [ABSENT, None, "shop", [], 5])
async def test_a_token_without_the_clusters_claim_is_none(cluster: Cluster, plugin: JwtValidator, bound: object) -> None:
    changes: dict[str, Any] = {"kubernetes.io": bound}
    with pytest.raises(Rejected, match="not a bound service-account token"):
        await judged(plugin, cluster.token(**changes))


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("namespace", None, "namespace in kubernetes.io is missing or not text"),
        ("namespace", "", "namespace in kubernetes.io is missing or not text"),
        ("namespace", ["shop"], "namespace in kubernetes.io is missing or not text"),
        ("serviceaccount", None, "kubernetes.io.serviceaccount is not an object"),
        ("serviceaccount", "checkout", "kubernetes.io.serviceaccount is not an object"),
        ("serviceaccount", {}, "name in kubernetes.io is missing or not text"),
        ("serviceaccount", {"name": "checkout"}, "uid in kubernetes.io is missing or not text"),
        ("pod", None, "kubernetes.io.pod is not an object"),
        ("pod", {"name": "a"}, "uid in kubernetes.io is missing or not text"),
        ("node", {"uid": "a"}, "name in kubernetes.io is missing or not text"),
        ("node", "node-7", "kubernetes.io.node is not an object"),
    ],
)
async def test_half_a_claim_is_malformed(cluster: Cluster, plugin: JwtValidator, member: str, value: object, said: str) -> None:
    changes: dict[str, Any] = {"kubernetes.io": {**BOUND, member: value}}
    with pytest.raises(CredentialMalformed) as refused:
        await judged(plugin, cluster.token(**changes))
    assert refused.value.said == said


async def test_a_legacy_token_of_a_secret_is_refused(cluster: Cluster, plugin: JwtValidator) -> None:
    flat: dict[str, Any] = {"kubernetes.io/serviceaccount/namespace": "shop", "kubernetes.io": ABSENT}
    legacy = cluster.token(iss="kubernetes/serviceaccount", aud=ABSENT, exp=ABSENT, **flat)
    with pytest.raises(Refusal):
        await judged(plugin, legacy)
    same = cluster.token(exp=ABSENT, aud=ABSENT)
    with pytest.raises(CredentialMalformed):
        await judged(plugin, same)


@pytest.mark.row("T-jwt")
@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_a_pods_token_is_exchanged_and_the_policy_sees_the_pod(cluster: Cluster, dialect: str) -> None:
    policy = AllowAll()
    settings = {
        "authenticates": [JWT],
        "plugins": {"jwt": {"issuers": [{"issuer": CLUSTER, "jwks": cluster.jwks, "preset": "kubernetes"}]}},
    }
    async with open_sts(settings, modules={"scripted": policy}, clock=cluster.clock) as sts:
        ask = sts.json if dialect == "json" else sts.form
        answer = await ask(subject_token=cluster.token() + "\n", audience="https://api.example")
        assert answer.status_code == 200, answer.text
        refused = await ask(subject_token=cluster.token(aud=["https://kubernetes.default.svc"]), audience="https://api.example")
    assert (refused.status_code, refused.json()["reason"]) == (400, "audience_mismatch")
    [question] = policy.asked
    assert question.subject.identity.attributes["pod"] == "checkout-5d9c"
