"""What the settings of `kubernetes` refuse before the service opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cambist import DidNotStart
from cambist.testing import ISSUER, KubernetesForge, MovableClock, open_sts
from cambist_kubernetes.settings import KubernetesSettings

SHARED = "https://kubernetes.default.svc.cluster.local"
BLUE, GREEN = KubernetesForge(ISSUER, MovableClock(), algorithm="ES256"), KubernetesForge(ISSUER, MovableClock(), algorithm="ES256")
GOOD: dict[str, Any] = {"issuer": "https://cluster.example", "audience": [ISSUER]}
PINNED: dict[str, Any] = {"issuer": SHARED, "audience": [ISSUER], "name": "blue", "jwks": BLUE.jwks}


def told(*clusters: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refusal:
        KubernetesSettings.model_validate({"clusters": list(clusters)})
    return str(refusal.value)


def shut(*clusters: dict[str, Any], **plugins: Any) -> Any:
    return open_sts({"plugins": {"kubernetes": {"clusters": list(clusters)}, **plugins}})


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"issuer": "https://cluster.example"}, "audience"),
        ({**GOOD, "audience": []}, "audience"),
        ({**GOOD, "audience": [ISSUER, "https://cluster.example"]}, "is the API server itself"),
        ({**GOOD, "audience": ["https://kubernetes.default.svc"]}, "is the API server itself"),
        ({**GOOD, "audience": ["api"]}, "is the API server itself"),
        ({**GOOD, "issuer": "kubernetes/serviceaccount", "jwks": BLUE.jwks}, "never end"),
        ({**GOOD, "issuer": "cluster"}, "discovery document"),
        ({**GOOD, "name": "Blue"}, "name"),
        ({**GOOD, "name": "a/b"}, "name"),
        ({**GOOD, "name": ""}, "name"),
        ({**GOOD, "algorithms": ["HS256"]}, "algorithms"),
        ({**GOOD, "delegation": True}, "delegation"),
        ({**GOOD, "jwks": BLUE.jwks, "jwks_url": "https://cluster.example/keys"}, "give one of jwks_url, jwks_file and jwks"),
        ({**GOOD, "review": {}}, "url"),
        ({**GOOD, "review": {"url": "http://cluster.example"}}, "only https is called"),
        ({**GOOD, "review": {"url": "https://user@cluster.example"}}, "a user in it"),
        ({**GOOD, "review": {"url": "https://cluster.example", "token": "secret"}}, "token"),
    ],
)
def test_a_mistake_is_told(cluster: dict[str, Any], said: str) -> None:
    assert said in told(cluster)


@pytest.mark.row("T-kubernetes")
@pytest.mark.parametrize(
    "second",
    [
        {"jwks": GREEN.jwks},
        {"jwks_url": "https://green.example/keys", "name": "green"},
        {"name": "green"},
        {"name": "green", "review": {"url": "https://green.example"}},
        {"name": "green", "jwks": BLUE.jwks},
    ],
    ids=["without a name", "keys by URL", "keys by discovery", "no keys, but a review", "the keys of the other"],
)
def test_clusters_that_share_an_issuer_need_a_name_and_pinned_keys_of_their_own(second: dict[str, Any]) -> None:
    other = {"issuer": SHARED, "audience": [ISSUER], **second}
    for clusters in ([PINNED, other], [other, PINNED], [PINNED, GOOD, other]):
        assert f"clusters share {SHARED}: give each a name, and keys of its own in jwks_file or jwks" in told(*clusters)


def test_clusters_that_share_an_issuer_may_have_names_and_keys() -> None:
    green = {**PINNED, "name": "green", "jwks": GREEN.jwks}
    settings = KubernetesSettings.model_validate({"clusters": [PINNED, GOOD, green]})
    assert [cluster.called for cluster in settings.clusters] == ["kubernetes:blue", "https://cluster.example", "kubernetes:green"]


def test_a_cluster_is_listed_once() -> None:
    assert "a cluster is listed twice: https://cluster.example" in told(GOOD, GOOD)
    assert "a cluster is listed twice: kubernetes:blue" in told(PINNED, {**GOOD, "name": "blue"})
    assert "a cluster is listed twice: kubernetes:blue" in told(PINNED, {**GOOD, "issuer": "kubernetes:blue", "jwks": GREEN.jwks})


@pytest.mark.row("T-kubernetes")
@pytest.mark.parametrize("preset", [{"preset": "kubernetes"}, {}])
async def test_with_the_preset_of_jwt_for_the_same_issuer_the_service_does_not_open(preset: dict[str, str]) -> None:
    issuers = {"issuers": [{"issuer": SHARED, "jwks": BLUE.jwks, **preset}]}
    with pytest.raises(DidNotStart) as refusal:
        async with shut(PINNED, jwt=issuers):
            pass
    assert f"urn:ietf:params:oauth:token-type:jwt of {SHARED}" in str(refusal.value)
    assert "jwt and kubernetes both take" in str(refusal.value) or "kubernetes and jwt both take" in str(refusal.value)


async def test_beside_jwt_for_other_issuers_it_opens() -> None:
    async with shut(PINNED, jwt={"issuers": [{"issuer": "https://other.example", "jwks": GREEN.jwks}]}):
        pass


@pytest.mark.parametrize("content", [None, "", "two words", "new\nline", "ümlaut", "a" * 16_385], ids=lambda text: str(text)[:9])
async def test_without_a_bearer_token_for_its_api_server_the_service_does_not_open(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(DidNotStart, match="the TokenReview of https://cluster") as refusal:
        async with shut({**GOOD, "review": {"url": "https://cluster.example", "token_file": str(path)}}):
            pass
    assert str(path) in str(refusal.value)
    assert not content or content not in str(refusal.value)
