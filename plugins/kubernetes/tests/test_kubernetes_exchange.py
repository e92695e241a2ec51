"""Service-account tokens through the whole service, in both dialects: each cluster speaks for itself, and each fault has its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from cambist.compact import Compact
from cambist.testing import ABSENT, ISSUER, AllowAll, ApiServer, Forge, KubernetesForge, MovableClock, Running, ScriptedHttp, open_sts
from cambist.token_review import PATH
from cambist.token_type import JWT, KUBERNETES_SA

CLUSTER, API, TARGET, CALLER = "https://cluster.example", "https://api.cluster.example:6443", "https://target.example", "cambists.own.token"
SHARED = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "system:serviceaccount:shop:checkout"
CLOCK = MovableClock()
NOON = int(CLOCK())
FORGE = KubernetesForge(ISSUER, CLOCK, issuer=CLUSTER)
BY_KEYS: dict[str, Any] = {"issuer": CLUSTER, "audience": [ISSUER], "jwks": FORGE.jwks}
both = pytest.mark.parametrize("dialect", ["form", "json"])
types = pytest.mark.parametrize("token_type", [KUBERNETES_SA, JWT])


@asynccontextmanager
async def service(*clusters: Mapping[str, Any], http: ScriptedHttp | None = None, policy: AllowAll | None = None) -> AsyncIterator[Running]:
    """A service in which workloads of these clusters prove themselves."""
    settings = {"authenticates": [JWT, KUBERNETES_SA], "plugins": {"kubernetes": {"clusters": list(clusters)}}}
    async with open_sts(settings, modules={"scripted": policy or AllowAll()}, clock=CLOCK, transport=http or ScriptedHttp({})) as sts:
        yield sts


async def ask(sts: Running, token: str, dialect: str, token_type: str = KUBERNETES_SA, **more: Any) -> httpx.Response:
    sent: dict[str, Any] = {"subject_token": token, "subject_token_type": token_type, "audience": TARGET, **more}
    return await (sts.json(**sent) if dialect == "json" else sts.form(**sent))


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


# ── by keys ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.row("T-kubernetes")
@both
@types
async def test_a_pods_token_is_exchanged_and_the_policy_sees_the_pod(dialect: str, token_type: str) -> None:
    policy = AllowAll()
    async with service(BY_KEYS, policy=policy) as sts:
        answer = await ask(sts, FORGE.jwt(namespace="kube-system", cluster="another") + "\n", dialect, token_type)
        assert answer.status_code == 200, answer.text
    assert Compact.parse(answer.json()["access_token"]).claims["exp"] <= NOON + 600
    who = policy.asked[0].subject.identity
    assert (who.issuer, who.subject) == (CLUSTER, SUBJECT)
    told = {"cluster": CLUSTER, "namespace": "shop", "serviceaccount": "checkout", "serviceaccount_uid": "c0ff"}
    told |= {"pod": "checkout-5d9c", "pod_uid": "77aa", "node": "node-7", "node_uid": "0b1f"}
    assert told.items() <= who.attributes.items()


async def test_a_token_that_is_bound_to_no_pod_has_none() -> None:
    policy = AllowAll()
    async with service(BY_KEYS, policy=policy) as sts:
        bound: dict[str, Any] = {"kubernetes.io": FORGE.bound(pod=ABSENT, node=ABSENT)}
        assert (await ask(sts, FORGE.jwt(**bound, pod="etcd"), "form")).status_code == 200
    attributes = policy.asked[0].subject.identity.attributes
    assert "pod_uid" not in attributes


def bound(**changes: Any) -> dict[str, Any]:
    return {"kubernetes.io": FORGE.bound(**changes)}


SIBLINGS: dict[str, tuple[str, str]] = {
    "for the API server": ("audience_mismatch", FORGE.jwt(aud=[SHARED])),
    "for the API server too": ("audience_not_sole", FORGE.jwt(aud=[ISSUER, SHARED])),
    "for a service whose name begins like ours": ("audience_mismatch", FORGE.jwt(aud=[f"{ISSUER}/other"])),
    "out of a Secret": ("legacy_token", FORGE.legacy()),
    "out of a Secret of a cluster with this issuer": ("legacy_token", FORGE.legacy(iss=CLUSTER)),
    "flat, with an end": ("legacy_token", FORGE.legacy(iss=CLUSTER, exp=NOON + 600, aud=ISSUER)),
    "without an end": ("credential_malformed", FORGE.jwt(exp=ABSENT)),
    "living for a year": ("credential_rejected", FORGE.jwt(exp=NOON + 31_536_000)),
    "expired by a second": ("credential_expired", FORGE.jwt(exp=NOON - 1, iat=NOON - 600, nbf=NOON - 600)),
    "of another cluster": ("issuer_not_trusted", FORGE.jwt(iss="https://other.example")),
    "of the cluster with a slash": ("issuer_not_trusted", FORGE.jwt(iss=f"{CLUSTER}/")),
    "of another cluster with this issuer": ("signature_invalid", KubernetesForge(ISSUER, CLOCK, issuer=CLUSTER).jwt()),
    "of a key that is not published": ("key_unknown", FORGE.jwt({"kid": "cluster-2"})),
    "of an algorithm that is not allowed": ("algorithm_refused", FORGE.jwt({"alg": "ES384"})),
    "of another kind": ("token_kind_mismatch", FORGE.jwt({"typ": "at+jwt"})),
    "of something that is no service account": ("claim_missing", FORGE.jwt(sub="alice", **{"kubernetes.io": ABSENT})),
    "with sub of another account": ("subject_contradicted", FORGE.jwt(sub="system:serviceaccount:shop:admin")),
    "with sub of another namespace": ("subject_contradicted", FORGE.jwt(sub="system:serviceaccount:kube-system:checkout")),
    "with the uid of nobody": ("credential_malformed", FORGE.jwt(**bound(serviceaccount={"name": "checkout"}))),
    "with half a pod": ("credential_malformed", FORGE.jwt(**bound(pod={"uid": "77aa"}))),
    "with a colon in a name": ("credential_malformed", FORGE.jwt(sub="system:serviceaccount:a:b:c", **bound(namespace="a:b"))),
    "with a path for a name": ("credential_malformed", FORGE.jwt(sub="system:serviceaccount:../a:c", **bound(namespace="../a"))),
    "asserting a delegation": ("credential_rejected", FORGE.jwt(act={"sub": "system:serviceaccount:shop:admin"})),
    "bound to a key": ("possession_missing", FORGE.jwt(cnf={"jkt": "x"})),
    "no JWT at all": ("credential_unclaimed", "0paque"),
}


@both
@types
@pytest.mark.parametrize("sibling", SIBLINGS)
async def test_one_that_is_nearly_good_has_a_reason_of_its_own(dialect: str, token_type: str, sibling: str) -> None:
    reason, token = SIBLINGS[sibling]
    async with service(BY_KEYS) as sts:
        assert refused(await ask(sts, token, dialect, token_type)) == (400, reason)


# ── several clusters ────────────────────────────────────────────────────────────────────────────────────

BLUE, GREEN = KubernetesForge(ISSUER, CLOCK, kid="k"), KubernetesForge(ISSUER, CLOCK, kid="k", algorithm="ES256")
TWO: list[dict[str, Any]] = [
    {"name": name, "issuer": SHARED, "audience": [ISSUER], "jwks": forge.jwks} for name, forge in (("blue", BLUE), ("green", GREEN))
]


@pytest.mark.row("T-kubernetes")
@both
async def test_clusters_with_one_issuer_never_speak_for_each_other(dialect: str) -> None:
    policy = AllowAll()
    stranger = KubernetesForge(ISSUER, CLOCK, kid="k")
    async with service(*TWO, policy=policy) as sts:
        answers = [await ask(sts, forge.jwt(), dialect) for forge in (BLUE, GREEN)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert refused(await ask(sts, stranger.jwt(), dialect)) == (400, "signature_invalid")
        assert refused(await ask(sts, stranger.jwt(iss="kubernetes:blue"), dialect)) == (400, "issuer_not_trusted")
        assert refused(await ask(sts, BLUE.jwt(iss="kubernetes:green"), dialect)) == (400, "issuer_not_trusted")
    identities = [question.subject.identity for question in policy.asked]
    assert [(who.issuer, who.subject) for who in identities] == [("kubernetes:blue", SUBJECT), ("kubernetes:green", SUBJECT)]
    assert [who.attributes["cluster"] for who in identities] == ["blue", "green"]
    subjects = {Compact.parse(answer.json()["access_token"]).claims["sub"] for answer in answers}
    assert len(subjects) == 2, "one account in two clusters is two principals"


@both
async def test_each_of_them_has_bounds_of_its_own(dialect: str) -> None:
    async with service({**TWO[0], "audience": ["https://blue.example"]}, TWO[1]) as sts:
        assert refused(await ask(sts, BLUE.jwt(), dialect)) == (400, "audience_mismatch")
        assert (await ask(sts, BLUE.jwt(aud=["https://blue.example"]), dialect)).status_code == 200
        assert refused(await ask(sts, GREEN.jwt(aud=["https://blue.example"]), dialect)) == (400, "audience_mismatch")


@both
async def test_a_key_that_two_of_them_have_proves_nothing(dialect: str, tmp_path: Path) -> None:
    """Green's operator writes blue's public key into the file of green's: that must not make blue's pods green's."""
    (file := tmp_path / "green.json").write_bytes(msgspec.json.encode(GREEN.jwks))
    green = {"name": "green", "issuer": SHARED, "audience": [ISSUER], "jwks_file": str(file)}
    async with service(TWO[0], green) as sts:
        assert (await ask(sts, BLUE.jwt(), dialect)).status_code == 200
        file.write_bytes(msgspec.json.encode(BLUE.jwks))
        answer = await ask(sts, BLUE.jwt(), dialect)
        assert refused(answer) == (400, "cluster_ambiguous")
        assert "green" not in answer.text


# ── by asking ───────────────────────────────────────────────────────────────────────────────────────────


class Asked(ScriptedHttp):
    """An API server behind HTTP; with `said`, it answers that instead."""

    def __init__(self, forge: KubernetesForge = FORGE) -> None:
        self.api = ApiServer(forge, CALLER)
        self.said: httpx.Response | Exception | Mapping[str, Any] | None = None
        super().__init__({f"{API}{PATH}": self.answer})

    def answer(self, request: httpx.Request) -> httpx.Response:
        status, document = self.api.answer(request.headers.get("authorization"), request.content)
        if isinstance(self.said, Exception):
            raise self.said
        if isinstance(self.said, httpx.Response):
            return self.said
        return httpx.Response(status, json=document if self.said is None else {**document, "status": self.said})


@pytest.fixture
def asking(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "token").write_text(CALLER)
    review = {"url": f"{API}/", "token_file": str(tmp_path / "token")}
    return {"issuer": CLUSTER, "audience": [ISSUER], "review": review}


BEFORE_KEYS = [name for name, (reason, _) in SIBLINGS.items() if not reason.startswith(("signature", "key", "algorithm"))]
modes = pytest.mark.parametrize("more", [{}, {"jwks": FORGE.jwks}], ids=["asked", "asked and verified"])


@pytest.mark.row("T-kubernetes")
@both
@modes
async def test_the_api_server_is_asked_and_a_pod_that_is_gone_is_refused(
    dialect: str, asking: dict[str, Any], more: dict[str, Any]
) -> None:
    http, policy, token = Asked(), AllowAll(), FORGE.jwt()
    async with service({**asking, **more}, http=http, policy=policy) as sts:
        assert (await ask(sts, token, dialect)).status_code == 200
        assert http.api.reviewed == [
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": token, "audiences": [ISSUER]},
            }
        ]
        assert policy.asked[0].subject.identity.attributes["pod_uid"] == "77aa"
        http.api.deleted.add("77aa")
        answer = await ask(sts, token, dialect)
        assert refused(answer) == (400, "credential_inactive")
        assert "invalidated" not in answer.text, "what the API server says is for the ledger"


@both
@modes
@pytest.mark.parametrize(
    "sibling", [name for name, (reason, _) in SIBLINGS.items() if not reason.startswith(("signature", "key", "algorithm"))]
)
async def test_one_that_is_nearly_good_is_refused_before_anybody_is_asked(
    dialect: str, asking: dict[str, Any], more: dict[str, Any], sibling: str
) -> None:
    reason, token = SIBLINGS[sibling]
    http = Asked()
    async with service({**asking, **more}, http=http) as sts:
        assert refused(await ask(sts, token, dialect)) == (400, reason)
    # What is left to the guard is judged last, for all validators alike.
    assert http.asked == [] or sibling in ("asserting a delegation", "bound to a key")


async def test_what_the_keys_refuse_is_not_sent_to_the_api_server(asking: dict[str, Any]) -> None:
    http, stranger = Asked(), KubernetesForge(ISSUER, CLOCK, issuer=CLUSTER)
    async with service({**asking, "jwks": FORGE.jwks}, http=http) as sts:
        assert refused(await ask(sts, stranger.jwt(), "form")) == (400, "signature_invalid")
        assert http.asked == []
    async with service(asking, http=http) as sts:
        assert refused(await ask(sts, stranger.jwt(), "form")) == (400, "credential_inactive")
        assert http.asked == [f"{API}{PATH}"]


USER = {"username": SUBJECT, "uid": "c0ff", "groups": ["system:authenticated"]}
SAYS: dict[str, tuple[Any, int, str]] = {
    "no": ({"authenticated": False}, 400, "credential_inactive"),
    "no, with a user": ({"authenticated": False, "user": USER, "audiences": [ISSUER]}, 400, "credential_inactive"),
    "nothing of it": ({"user": USER, "audiences": [ISSUER]}, 400, "credential_inactive"),
    "yes as a text": ({"authenticated": "true", "user": USER, "audiences": [ISSUER]}, 400, "credential_inactive"),
    "yes as a number": ({"authenticated": 1, "user": USER, "audiences": [ISSUER]}, 400, "credential_inactive"),
    "yes, for no audience": ({"authenticated": True, "user": USER}, 400, "audience_mismatch"),
    "yes, for an empty list": ({"authenticated": True, "user": USER, "audiences": []}, 400, "audience_mismatch"),
    "yes, for itself": ({"authenticated": True, "user": USER, "audiences": [SHARED]}, 400, "audience_mismatch"),
    "yes, for odd audiences": ({"authenticated": True, "user": USER, "audiences": [None, {}, [ISSUER]]}, 400, "audience_mismatch"),
    "yes, for a text": ({"authenticated": True, "user": USER, "audiences": ISSUER}, 400, "audience_mismatch"),
    "yes, of nobody": ({"authenticated": True, "audiences": [ISSUER]}, 503, "temporarily_unavailable"),
    "yes, of another": (
        {"authenticated": True, "user": {**USER, "username": "system:serviceaccount:shop:admin"}, "audiences": [ISSUER]},
        503,
        "temporarily_unavailable",
    ),
    "yes, of one made anew": (
        {"authenticated": True, "user": {**USER, "uid": "new"}, "audiences": [ISSUER]},
        503,
        "temporarily_unavailable",
    ),
    "a login page": (httpx.Response(200, content=b"<html>"), 503, "temporarily_unavailable"),
    "two answers": (httpx.Response(201, content=b'{"kind":"TokenReview","status":{},"status":{}}'), 503, "temporarily_unavailable"),
    "another kind": (
        httpx.Response(201, json={"kind": "Status", "status": {"authenticated": True, "user": USER, "audiences": [ISSUER]}}),
        503,
        "temporarily_unavailable",
    ),
    "a status that is a text": (httpx.Response(201, json={"kind": "TokenReview", "status": "Success"}), 503, "temporarily_unavailable"),
    "a list": (httpx.Response(201, json=[True]), 503, "temporarily_unavailable"),
    "elsewhere": (httpx.Response(302, headers={"location": "https://evil.example"}), 503, "temporarily_unavailable"),
    "forbidden": (httpx.Response(403, json={"kind": "Status", "code": 403}), 503, "temporarily_unavailable"),
    "too many requests": (httpx.Response(429), 503, "temporarily_unavailable"),
    "an error": (httpx.Response(500), 503, "temporarily_unavailable"),
    "nobody there": (httpx.ConnectError("nobody"), 503, "temporarily_unavailable"),
}


@both
@modes
@pytest.mark.parametrize("says", SAYS)
async def test_every_other_answer_is_a_refusal_with_its_reason(
    dialect: str, asking: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    said, status, reason = SAYS[says]
    http = Asked()
    async with service({**asking, **more}, http=http) as sts:
        http.said = said
        answer = await ask(sts, FORGE.jwt(), dialect)
        assert refused(answer) == (status, reason)
        assert CALLER not in answer.text
        assert API not in answer.text
        http.said = None
        assert (await ask(sts, FORGE.jwt(), dialect)).status_code == 200, "nothing of it was kept"


async def test_what_an_api_server_says_of_an_error_never_holds_the_token(asking: dict[str, Any]) -> None:
    http, token = Asked(), FORGE.jwt()
    async with service(asking, http=http) as sts:
        http.said = {"error": f"cannot authenticate {token} " + "x" * 10_000}
        assert refused(await ask(sts, token, "form")) == (400, "credential_inactive")
        [record] = sts.records
    assert record.refusal is not None
    told = record.refusal.facts["error"]
    assert isinstance(told, str)
    assert told.startswith("cannot authenticate … xxx")
    assert len(told) <= 500
    assert token not in repr(record)


async def test_its_own_bearer_token_may_rotate_and_its_loss_is_no_fault_of_the_pods(asking: dict[str, Any]) -> None:
    http, path = Asked(), Path(asking["review"]["token_file"])
    async with service(asking, http=http) as sts:
        http.api.callers = {"rotated"}
        assert refused(await ask(sts, FORGE.jwt(), "form")) == (503, "temporarily_unavailable")
        path.write_text("rotated\n")
        assert (await ask(sts, FORGE.jwt(), "form")).status_code == 200
        path.unlink()
        answer = await ask(sts, FORGE.jwt(), "form")
        assert refused(answer) == (503, "temporarily_unavailable")
        assert str(path) not in answer.text


async def test_only_the_cluster_whose_token_it_is_is_asked(asking: dict[str, Any], tmp_path: Path) -> None:
    """Whoever runs one cluster could use the tokens of another that were shown to them."""
    http = Asked(BLUE)
    other = {**TWO[1], "review": {"url": "https://green.example", "token_file": asking["review"]["token_file"]}}
    async with service({**TWO[0], "review": asking["review"]}, other, http=http) as sts:
        assert (await ask(sts, BLUE.jwt(), "form")).status_code == 200
        assert http.asked == [f"{API}{PATH}"]
        assert refused(await ask(sts, GREEN.jwt(), "form")) == (503, "temporarily_unavailable")
        assert http.asked[1:] == [f"https://green.example{PATH}"]


async def test_another_kind_of_token_that_the_clusters_key_signed_is_none_of_ours(asking: dict[str, Any]) -> None:
    plain = Forge(CLUSTER, ISSUER, CLOCK, algorithm="RS256", kid=FORGE.kid)
    plain.key = FORGE.key
    async with service(asking, http=Asked()) as sts:
        assert refused(await ask(sts, FORGE.jwt({"typ": "dpop+jwt"}), "form"))[1] == "token_kind_mismatch"
        assert refused(await ask(sts, plain.jwt(), "form"))[1] == "claim_missing"
