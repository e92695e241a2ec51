"""`kubernetes` keeps the contract of every validator: by keys, by asking, by both, and with clusters that share an issuer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, Role, Validator
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ABSENT, ApiServer, DeafHttp, KubernetesForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist.testing import ISSUER as STS
from cambist.token_review import PATH
from cambist.token_type import JWT, KUBERNETES_SA
from cambist_kubernetes.settings import KubernetesSettings
from cambist_kubernetes.validator import ServiceAccounts

API, KEYS, CALLER = "https://api.cluster.example:6443", "https://api.cluster.example:6443/openid/v1/jwks", "cambists.own.token"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, *clusters: Mapping[str, Any]) -> ServiceAccounts:
    settings = KubernetesSettings.model_validate({"clusters": [{"audience": [STS], **cluster} for cluster in clusters]})
    egress = Egress(EgressSettings(), http)
    return ServiceAccounts(settings, egress, Jwts(egress, clock))


def asking(server: ApiServer) -> ScriptedHttp:
    def answer(request: httpx.Request) -> httpx.Response:
        status, document = server.answer(request.headers.get("authorization"), request.content)
        return httpx.Response(status, json=document)

    return ScriptedHttp({f"{API}{PATH}": answer})


class KubernetesContract(LooksAtWhomItTrusts, ValidatorContract):
    """What all of them have in common."""

    algorithm, token_type, issuer = "ES256", KUBERNETES_SA, "https://cluster.example"

    @pytest.fixture
    def forge(self, clock: MovableClock) -> KubernetesForge:
        return KubernetesForge(STS, clock, issuer=self.issuer, algorithm=self.algorithm)

    @pytest.fixture
    def good(self, forge: KubernetesForge) -> Credential:
        return Credential(token=forge.jwt(), token_type=self.token_type, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge: KubernetesForge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)

    @pytest.fixture
    def how(self, tmp_path: Path) -> Mapping[str, Any]:
        """How its API server is asked."""
        (tmp_path / "token").write_text(f"{CALLER}\n")
        return {"url": API, "token_file": str(tmp_path / "token")}


@pytest.mark.row("T-kubernetes")
class TestInlineKeys(KubernetesContract):
    algorithm, token_type = "RS256", JWT

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: KubernetesForge) -> Validator:
        return plugin(clock, DeafHttp(), {"issuer": self.issuer, "jwks": forge.jwks})


@pytest.mark.row("T-kubernetes")
class TestKeysByDiscovery(KubernetesContract):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: KubernetesForge) -> Validator:
        document = {"issuer": self.issuer, "jwks_uri": KEYS}
        http = ScriptedHttp({f"{self.issuer}/.well-known/openid-configuration": document, KEYS: forge.jwks})
        return plugin(clock, http, {"issuer": self.issuer})

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp(), {"issuer": self.issuer}), plugin(clock, DeafHttp(), {"issuer": self.issuer, "jwks_url": KEYS}))


@pytest.mark.row("T-kubernetes")
class TestOneOfSeveralClusters(KubernetesContract):
    issuer = "https://kubernetes.default.svc.cluster.local"

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: KubernetesForge, tmp_path: Path) -> Validator:
        path = tmp_path / "blue.json"
        path.write_bytes(msgspec.json.encode(forge.jwks))
        other = KubernetesForge(STS, clock, algorithm=self.algorithm, kid=forge.kid)  # the other cluster chose the same kid
        pinned = {"name": "green", "issuer": self.issuer, "jwks": other.jwks}
        return plugin(clock, DeafHttp(), pinned, {"name": "blue", "issuer": self.issuer, "jwks_file": str(path)})


@pytest.mark.row("T-kubernetes")
class TestTokenReview(KubernetesContract):
    """Nothing but the API server's answer counts."""

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: KubernetesForge, how: Mapping[str, Any]) -> Validator:
        return plugin(clock, asking(ApiServer(forge, CALLER)), {"issuer": self.issuer, "review": how})

    @pytest.fixture
    def cut_off(self, clock: MovableClock, how: Mapping[str, Any]) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp(), {"issuer": self.issuer, "review": how}),)

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        return (CALLER,)


@pytest.mark.row("T-kubernetes")
class TestKeysAndTokenReview(TestTokenReview):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: KubernetesForge, how: Mapping[str, Any]) -> Validator:
        return plugin(clock, asking(ApiServer(forge, CALLER)), {"issuer": self.issuer, "jwks": forge.jwks, "review": how})

    @pytest.fixture
    def cut_off(self, clock: MovableClock, forge: KubernetesForge, how: Mapping[str, Any]) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp(), {"issuer": self.issuer, "jwks": forge.jwks, "review": how}),)


async def test_a_diagnosis_of_clusters_that_share_an_issuer_is_of_the_one_whose_token_it_looks_most_like() -> None:
    clock, issuer = MovableClock(), "https://shared.example"
    ours, other = (KubernetesForge(STS, clock, issuer=issuer) for _ in range(2))
    validator = plugin(
        clock, DeafHttp(), *({"issuer": issuer, "name": f"c-{n}", "jwks": forge.jwks} for n, forge in enumerate((other, ours)))
    )
    assert [(trust.issuer, trust.name) for trust in validator.trusts] == [(issuer, "c-0"), (issuer, "c-1")]
    for changes, failed in (
        ({}, []),
        ({"aud": [STS, "https://api.example"]}, ["sole audience"]),
        ({"kubernetes.io": ABSENT}, ["kubernetes.io"]),
    ):
        credential = Credential(token=ours.jwt(**changes), token_type=KUBERNETES_SA, role=Role.SUBJECT)
        checks = await validator.diagnose(Sample(credential=credential))
        assert {"signature", "bound", "kubernetes.io", "sole audience"} <= {check.name for check in checks}
        assert [check.name for check in checks if check.state is State.FAILED] == failed


def test_a_credential_is_its_business_when_its_cluster_is_listed_or_when_no_cluster_should_issue_it() -> None:
    validator = plugin(MovableClock(), DeafHttp(), {"issuer": "https://cluster.example"})
    for issuer, its in (("https://cluster.example", True), ("kubernetes/serviceaccount", True), ("https://another.example", False)):
        assert validator.recognizes(Unverified(token_type=KUBERNETES_SA, issuer=issuer)) is its
