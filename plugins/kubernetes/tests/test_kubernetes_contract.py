"""`kubernetes` keeps the contract of every validator: by keys, by asking, by both, and with clusters that share an issuer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, Role, Unavailable, Validator
from cambist.check import Sample, State
from cambist.credential import Unverified
from cambist.egress import Egress, EgressSettings
from cambist.errors import ClaimMissing, CredentialMalformed, LegacyToken
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
        ({"aud": ["https://api.example"]}, ["audience"]),
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


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (
            httpx.Response(201, json={"kind": "TokenReview", "status": {"authenticated": True}}),
            "authenticates a token that nobody issued",
            "",
        ),
        (httpx.Response(401), "status 401", "`review.token_file` is of another cluster"),
        (httpx.Response(403), "status 403", "Bind the ClusterRole system:auth-delegator"),
        (httpx.Response(201, json={"kind": "Status"}), "it is no TokenReview", ""),
    ],
)
async def test_an_api_server_that_gives_no_sound_answer_is_told_as_such(
    answer: httpx.Response, said: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(CALLER)
    review = {"url": API, "token_file": str(tmp_path / "token")}
    http = ScriptedHttp({f"{API}{PATH}": answer})
    (trust,) = plugin(MovableClock(), http, {"issuer": "https://cluster.example", "review": review}).trusts
    (source,) = trust.sources
    (check,) = await source.look()
    assert (check.name, check.state) == ("review", State.FAILED)
    assert said in check.said
    assert hint in (check.hint or "")


async def test_a_token_of_the_issuer_that_every_cluster_once_had_is_legacy_whatever_else_it_says() -> None:
    clock = MovableClock()
    token = KubernetesForge(STS, clock).jwt(iss="kubernetes/serviceaccount")
    with pytest.raises(LegacyToken):
        await plugin(clock, DeafHttp(), {"issuer": "https://cluster.example"}).validate(
            Credential(token=token, token_type=KUBERNETES_SA, role=Role.SUBJECT)
        )


async def test_a_diagnosis_asks_the_api_server_where_that_counts(tmp_path: Path) -> None:
    clock, issuer = MovableClock(), "https://cluster.example"
    (tmp_path / "token").write_text(CALLER)
    server = ApiServer(forge := KubernetesForge(STS, clock, issuer=issuer), CALLER)
    asked = plugin(clock, asking(server), {"issuer": issuer, "review": {"url": API, "token_file": str(tmp_path / "token")}})
    assert [(trust.issuer, trust.name) for trust in asked.trusts] == [(issuer, "")]
    sample = Sample(credential=Credential(token=forge.jwt(), token_type=KUBERNETES_SA, role=Role.SUBJECT))
    for states in ([State.PASSED], [State.FAILED]):
        assert [check.state for check in await asked.diagnose(sample) if check.name == "review"] == states
        server.deleted.add(forge.claims()["kubernetes.io"]["pod"]["uid"])


@pytest.mark.parametrize("uid", [5, "", None, ["uid"], ABSENT])
async def test_an_account_without_an_id_of_its_own_is_none(uid: object) -> None:
    """One that was made anew under the same name is told apart by nothing else."""
    clock, issuer = MovableClock(), "https://cluster.example"
    forge = KubernetesForge(STS, clock, issuer=issuer)
    bound = forge.claims()["kubernetes.io"]
    account = {name: value for name, value in {**bound["serviceaccount"], "uid": uid}.items() if value is not ABSENT}
    token = forge.jwt(**{"kubernetes.io": {**bound, "serviceaccount": account}})
    with pytest.raises((ClaimMissing, CredentialMalformed), match="uid"):
        await plugin(clock, DeafHttp(), {"issuer": issuer, "jwks": forge.jwks}).validate(
            Credential(token=token, token_type=KUBERNETES_SA, role=Role.SUBJECT)
        )


@pytest.mark.parametrize("status", [200, 201])
async def test_an_api_server_is_asked_as_its_interface_has_it(status: int, tmp_path: Path) -> None:
    clock, issuer, requests = MovableClock(), "https://cluster.example", list[httpx.Request]()
    (tmp_path / "token").write_text(CALLER)
    server = ApiServer(forge := KubernetesForge(STS, clock, issuer=issuer), CALLER)

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, json=server.answer(request.headers["authorization"], request.content)[1])

    review = {"url": f"{API}/", "token_file": str(tmp_path / "token")}
    validator = plugin(clock, ScriptedHttp({f"{API}{PATH}": answer}), {"issuer": issuer, "review": review})
    await validator.validate(Credential(token=forge.jwt(), token_type=KUBERNETES_SA, role=Role.SUBJECT))
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", f"{API}{PATH}")
    assert (request.headers["accept"], request.headers["content-type"]) == ("application/json", "application/json")


async def test_a_good_answer_under_a_bad_status_is_none(tmp_path: Path) -> None:
    clock, issuer = MovableClock(), "https://cluster.example"
    (tmp_path / "token").write_text(CALLER)
    server = ApiServer(forge := KubernetesForge(STS, clock, issuer=issuer), CALLER)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, json=server.answer(request.headers["authorization"], request.content)[1])

    review = {"url": API, "token_file": str(tmp_path / "token")}
    validator = plugin(clock, ScriptedHttp({f"{API}{PATH}": answer}), {"issuer": issuer, "review": review})
    with pytest.raises(Unavailable):
        await validator.validate(Credential(token=forge.jwt(), token_type=KUBERNETES_SA, role=Role.SUBJECT))
