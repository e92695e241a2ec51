"""Pods of clusters through a served Cambist, in both dialects: an API server over HTTPS, and the how-to page as it stands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.https import Reply, answering, authority
from habits.pages import Shell, blocks
from habits.served import Served, address, served
from habits.workspace import ROOT

from cambist.compact import Compact
from cambist.testing import ApiServer, KubernetesForge
from cambist.token_review import PATH
from cambist.token_type import JWT, KUBERNETES_SA

PAGE = ROOT / "docs" / "how-to" / "accept-a-kubernetes-cluster.md"
TARGET, SUBJECT, CALLER = "https://billing.example.com", "system:serviceaccount:shop:checkout", "cambists.own.token"
GRANT = {SUBJECT: {TARGET: {"scopes": ["read"], "ttl": 300}}}
both = pytest.mark.parametrize("dialect", ["form", "json"])


@dataclass
class Cluster:
    """An API server that serves HTTPS at `url`: discovery, keys and TokenReviews."""

    ca: Path
    forge: KubernetesForge
    api: ApiServer
    url: str = ""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if (method, path) == ("POST", PATH):
            return Reply(*self.api.answer(headers.get("authorization"), body))
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/openid/v1/jwks", "id_token_signing_alg_values_supported": ["RS256"]}
        discovery |= {"response_types_supported": ["id_token"], "subject_types_supported": ["public"]}
        pages = {"/.well-known/openid-configuration": discovery, "/openid/v1/jwks": self.forge.jwks}
        if path == "/openid/v1/jwks" and "application/jwk-set+json" not in headers["accept"]:
            return Reply(406, {})  # as the real one does
        return Reply(200, pages[path]) if method == "GET" and path in pages else Reply(404, {"kind": "Status", "code": 404})

    @property
    def egress(self) -> str:
        return f'[egress]\nprivate = ["localhost"]\n[egress.authorities]\nlocalhost = "{self.ca}"\n'


@contextmanager
def cluster(folder: Path, audience: str, issuer: str | None = None) -> Iterator[Cluster]:
    """A cluster until the block ends; without an issuer, its own URL is it."""
    ca, context = authority(folder)
    forge = KubernetesForge(audience, time.time, issuer=issuer or "")
    found = Cluster(ca, forge, ApiServer(forge, CALLER))
    with answering(found.answer, context) as url:
        found.url, forge.issuer = url, issuer or url
        yield found


def grants(issuer: str) -> dict[str, Any]:
    return {"cambist": {"zones": {"default": {"grants": {issuer: GRANT}}}}}


def ask(service: Served, dialect: str, token: str, token_type: str = KUBERNETES_SA) -> httpx.Response:
    send = service.form if dialect == "form" else service.json
    return send(token, subject_token_type=token_type, audience=TARGET, scope="read")


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


@pytest.mark.row("T-kubernetes")
@pytest.mark.row("T-jwt")
@both
def test_a_clusters_keys_are_found_by_discovery_and_its_pods_are_judged_by_them(tmp_path: Path, dialect: str) -> None:
    url = address()
    with cluster(tmp_path, url) as kube:
        settings = f'[[plugins.kubernetes.clusters]]\nissuer = "{kube.url}"\naudience = ["{url}"]\n{kube.egress}'
        with served(tmp_path, url, settings, grants(kube.url), authenticates=(KUBERNETES_SA, JWT)) as service:
            for token_type in (KUBERNETES_SA, JWT):
                answer = ask(service, dialect, kube.forge.jwt() + "\n", token_type)
                assert answer.status_code == 200, answer.text
            claims = Compact.parse(answer.json()["access_token"]).claims
            assert (claims["aud"], claims["scope"]) == (TARGET, "read")
            assert kube.api.reviewed == []
            assert refused(ask(service, dialect, kube.forge.jwt(aud=[kube.url]))) == (400, "audience_mismatch")
            assert refused(ask(service, dialect, kube.forge.legacy())) == (400, "legacy_token")


@pytest.mark.row("T-kubernetes")
@both
@pytest.mark.parametrize("keys", ["", "jwks_url = '{url}/openid/v1/jwks'\n"], ids=["asked", "asked and verified"])
def test_an_api_server_is_asked_over_https_and_its_silence_is_no_consent(tmp_path: Path, dialect: str, keys: str) -> None:
    url = address()
    (tmp_path / "token").write_text(CALLER)
    with ExitStack() as running:
        kube = running.enter_context(cluster(tmp_path, url))
        entry = f'[[plugins.kubernetes.clusters]]\nissuer = "{kube.url}"\nname = "blue"\naudience = ["{url}"]\n{keys.format(url=kube.url)}'
        review = f'[plugins.kubernetes.clusters.review]\nurl = "{kube.url}"\ntoken_file = "{tmp_path}/token"\n'
        with served(tmp_path, url, entry + review + kube.egress, grants("kubernetes:blue"), authenticates=(KUBERNETES_SA,)) as service:
            token = kube.forge.jwt()
            answer = ask(service, dialect, token)
            assert answer.status_code == 200, answer.text
            kube.api.callers = {"rotated"}
            assert refused(ask(service, dialect, token)) == (503, "temporarily_unavailable")
            (tmp_path / "token").write_text("rotated")
            assert ask(service, dialect, token).status_code == 200
            assert {tuple(review["spec"]["audiences"]) for review in kube.api.reviewed} == {(url,)}
            kube.api.deleted.add(kube.forge.pod)
            assert refused(ask(service, dialect, token)) == (400, "credential_inactive")
            kube.api.deleted.clear()
            assert ask(service, dialect, token).status_code == 200
            running.close()
            assert refused(ask(service, dialect, token)) == (503, "temporarily_unavailable")


def test_an_api_server_with_another_certificate_is_not_told_the_token(tmp_path: Path) -> None:
    url = address()
    (tmp_path / "token").write_text(CALLER)
    (tmp_path / "other").mkdir()
    other, _ = authority(tmp_path / "other")
    with cluster(tmp_path, url) as kube:
        entry = f'[[plugins.kubernetes.clusters]]\nissuer = "{kube.url}"\naudience = ["{url}"]\n'
        review = f'[plugins.kubernetes.clusters.review]\nurl = "{kube.url}"\ntoken_file = "{tmp_path}/token"\n'
        settings = entry + review + kube.egress.replace(str(kube.ca), str(other))
        with served(tmp_path, url, settings, grants(kube.url), authenticates=(KUBERNETES_SA,)) as service:
            assert refused(ask(service, "form", kube.forge.jwt())) == (503, "temporarily_unavailable")
        assert kube.api.reviewed == []


@pytest.mark.row("T-kubernetes")
@pytest.mark.parametrize("way", [0, 1], ids=["by keys", "by asking too"])
def test_the_how_to_ends_in_an_exchange(tmp_path: Path, curl: Path, way: int) -> None:
    """Its settings, its grant, its audience and its command, as they stand but for addresses and paths."""
    url, settings = address(), blocks(PAGE, "toml")
    [grant, answer] = blocks(PAGE, "json")
    [pod] = blocks(PAGE, "yaml")
    issuer = "https://kubernetes.default.svc.cluster.local"
    with cluster(tmp_path, "https://sts.example.com", issuer) as kube:
        assert f'audience: "{kube.forge.audience}"' in pod
        (tmp_path / "blue-keys.json").write_text(json.dumps(kube.forge.jwks))
        (tmp_path / "token").write_text(CALLER)
        text = settings[way].replace("/etc/cambist/blue-keys.json", f"{tmp_path}/blue-keys.json")
        text = text.replace('url = "https://kubernetes.default.svc"', f'url = "{kube.url}"\ntoken_file = "{tmp_path}/token"')
        text = text.replace('"kubernetes.default.svc"', '"localhost"').replace(
            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", str(kube.ca)
        )
        text = "\n".join(line for line in text.splitlines() if not line.startswith("authenticates"))
        with served(tmp_path, url, text + "\n", json.loads(grant), authenticates=(KUBERNETES_SA,)):
            (tmp_path / "pods-token").write_text(kube.forge.jwt())
            script = (
                blocks(PAGE, "sh")[-1].replace("https://sts.example.com", url).replace("/var/run/cambist/token", f"{tmp_path}/pods-token")
            )
            told = json.loads(Shell(tmp_path, curl.parent).ran(script))
    assert told.keys() == json.loads(answer).keys()
    assert {name: told[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "read",
    }
    assert len(kube.api.reviewed) == way
