"""Pods of a real API server of Kubernetes through a served Cambist, in both dialects: TokenRequest issues, TokenReview judges."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from habits.kubernetes import ACCOUNT, NODE, POD, REVIEWER, Cluster
from habits.served import Served, address, served

from cambist.compact import Compact
from cambist.service_account import facts
from cambist.testing import KubernetesForge
from cambist.token_type import JWT, KUBERNETES_SA
from cambist_hostapp.cli import main

TARGET, SUBJECT = "https://billing.example.com", "system:serviceaccount:shop:checkout"
REMEMBERED = 10.0
"""For so long an API server itself remembers that a token was good, in seconds."""

pytestmark = pytest.mark.xdist_group("kube-apiserver")
both = pytest.mark.parametrize("dialect", ["form", "json"])


def grants(issuer: str) -> dict[str, Any]:
    return {"cambist": {"zones": {"default": {"grants": {issuer: {SUBJECT: {TARGET: {"scopes": ["read"], "ttl": 300}}}}}}}}


def ask(service: Served, dialect: str, token: str, token_type: str = KUBERNETES_SA) -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=token_type, audience=TARGET, scope="read")


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def cluster(kube: Cluster, audience: str, folder: Path, *, keys: str = "") -> str:
    """It is asked about each token; with keys, both must say yes."""
    review = f'[plugins.kubernetes.clusters.review]\nurl = "{kube.url}"\ntoken_file = "{folder}/own-token"\n'
    entry = f'[[plugins.kubernetes.clusters]]\nissuer = "{kube.url}"\nname = "blue"\naudience = ["{audience}"]\n{keys}'
    return entry + review + kube.egress


@pytest.mark.row("T-kubernetes", real="kube_apiserver")
@both
def test_its_pods_are_judged_by_the_keys_that_it_publishes(tmp_path: Path, kube_apiserver: Cluster, dialect: str) -> None:
    url, kube = address(), kube_apiserver
    settings = f'[[plugins.kubernetes.clusters]]\nissuer = "{kube.url}"\naudience = ["{url}"]\n{kube.egress}'
    with served(tmp_path, url, settings, grants(kube.url), authenticates=(KUBERNETES_SA, JWT)) as service:
        for token_type in (KUBERNETES_SA, JWT):
            answer = ask(service, dialect, kube.token(url) + "\n", token_type)
            assert answer.status_code == 200, answer.text
        assert Compact.parse(answer.json()["access_token"]).claims["scope"] == "read"
        assert refused(ask(service, dialect, kube.token())) == (400, "audience_mismatch")
        assert refused(ask(service, dialect, kube.token(url, kube.url))) == (400, "audience_not_sole")
        assert ask(service, dialect, kube.token(url, account=REVIEWER, pod=None)).json()["reason"] == "target_denied"


@pytest.mark.row("T-kubernetes", real="kube_apiserver")
@both
@pytest.mark.parametrize("keys", ["", "jwks_url = '{url}/openid/v1/jwks'\n"], ids=["asked", "asked and verified"])
def test_it_is_asked_about_each_token_and_a_pod_that_is_gone_is_refused(
    tmp_path: Path, kube_apiserver: Cluster, dialect: str, keys: str
) -> None:
    url, kube, pod = address(), kube_apiserver, f"pod-{time.monotonic_ns()}"
    (tmp_path / "own-token").write_text(kube.token(account=REVIEWER, pod=None))
    settings = cluster(kube, url, tmp_path, keys=keys.format(url=kube.url))
    with served(tmp_path, url, settings, grants("kubernetes:blue"), authenticates=(KUBERNETES_SA,)) as service:
        kube.run_pod(pod)
        token, unused = kube.token(url, pod=pod), kube.token(url, pod=pod)
        assert ask(service, dialect, token).status_code == 200
        assert refused(ask(service, dialect, kube.token(pod=pod))) == (400, "audience_mismatch")
        kube.delete_pod(pod)
        gone = time.monotonic()
        while (answer := ask(service, dialect, unused)).status_code == 200 and time.monotonic() - gone < REMEMBERED:
            time.sleep(0.05)  # until it has heard of its own deletion
        assert refused(answer) == (400, "credential_inactive")
        while (answer := ask(service, dialect, token)).status_code == 200 and time.monotonic() - gone < 3 * REMEMBERED:
            time.sleep(0.25)
        assert refused(answer) == (400, "credential_inactive")


@pytest.mark.row("T-kubernetes", real="kube_apiserver")
def test_without_the_right_to_create_reviews_nobody_is_believed(tmp_path: Path, kube_apiserver: Cluster) -> None:
    url, kube = address(), kube_apiserver
    (tmp_path / "own-token").write_text(kube.token(account=ACCOUNT, pod=None))
    with served(tmp_path, url, cluster(kube, url, tmp_path), grants("kubernetes:blue"), authenticates=(KUBERNETES_SA,)) as service:
        assert refused(ask(service, "form", kube.token(url))) == (503, "temporarily_unavailable")


def test_its_tokens_name_pod_and_node_by_their_uids_as_the_forged_ones_do(kube_apiserver: Cluster) -> None:
    real = Compact.parse(kube_apiserver.token("https://sts.example.com"))
    forged = Compact.parse(KubernetesForge("https://sts.example.com", time.time).jwt())
    assert (real.header.keys(), real.claims.keys()) == (forged.header.keys(), forged.claims.keys())
    bound = real.claims["kubernetes.io"]
    assert forged.claims["kubernetes.io"].keys() - bound.keys() == {"warnafter"}  # of tokens for an hour and seven seconds alone
    assert (bound["pod"]["name"], bound["node"]["name"]) == (POD, NODE)
    assert facts(real.claims)["pod_uid"] == kube_apiserver.uid("pods", POD)


@pytest.mark.parametrize(
    ("account", "code", "said"), [(REVIEWER, 0, "reviews tokens for Cambist's account"), (ACCOUNT, 1, "system:auth-delegator")]
)
def test_trust_check_says_whether_it_lets_us_ask(tmp_path: Path, kube_apiserver: Cluster, account: str, code: int, said: str) -> None:
    url, kube = "https://sts.example.com", kube_apiserver
    (tmp_path / "own-token").write_text(kube.token(account=account, pod=None))
    config = tmp_path / "cambist.toml"
    keys = f'jwks_url = "{kube.url}/openid/v1/jwks"\n'
    config.write_text(f'issuer = "{url}"\n{cluster(kube, url, tmp_path, keys=keys)}')
    command = ["-c", str(config), "trust", "check", "kubernetes", "--token", "-", "--json"]
    found = CliRunner().invoke(main, command, input=kube.token(url), catch_exceptions=False)
    assert found.exit_code == code, found.output
    assert said in found.output
    document = json.loads(found.stdout)
    assert document["token"][0]["accepted"] is (code == 0)
