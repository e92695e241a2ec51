"""The stand-in of an API server: it refuses what a real one refuses, so that nobody proves a plugin with less."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cambist.testing import ApiServer, Forge, KubernetesForge, MovableClock

CLOCK = MovableClock()
FORGE = KubernetesForge("https://sts.example", CLOCK, issuer="https://cluster.example")


def reviewed(token: str, *audiences: str, caller: str = "caller") -> dict[str, Any]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": list(audiences)}}
    status, document = ApiServer(FORGE, "caller").answer(f"Bearer {caller}", json.dumps(review).encode())
    assert status == (201 if caller == "caller" else 401)
    found: dict[str, Any] = document["status"] if status == 201 else {}
    return found


def test_a_good_token_is_told_with_its_account_and_for_whom_it_is() -> None:
    told = reviewed(FORGE.jwt(), "https://sts.example", "https://other.example")
    assert (told["authenticated"], told["audiences"]) == (True, ["https://sts.example"])
    assert told["user"]["username"] == FORGE.claims()["sub"]
    assert "authentication.kubernetes.io/pod-name" in told["user"]["extra"]


def test_a_token_that_is_bound_to_no_pod_tells_of_none() -> None:
    bound = {name: value for name, value in FORGE.claims()["kubernetes.io"].items() if name not in ("pod", "node")}
    told = reviewed(FORGE.jwt(**{"kubernetes.io": bound}), "https://sts.example")
    assert list(told["user"]["extra"]) == ["authentication.kubernetes.io/credential-id"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (FORGE.jwt(exp=int(CLOCK()) - 1), "expired"),
        (FORGE.jwt(iss="https://other.example"), "expired"),
        (FORGE.jwt(aud=["https://other.example"]), "invalid for the target audiences"),
        (Forge("https://cluster.example", "https://sts.example", CLOCK, kid="cluster-1").jwt(), "invalid bearer token"),
        ("no token", "invalid bearer token"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_authenticated(token: str, said: str) -> None:
    told = reviewed(token, "https://sts.example")
    assert said in told["error"]
    assert "authenticated" not in told


def test_a_caller_that_it_does_not_know_is_told_nothing() -> None:
    assert reviewed(FORGE.jwt(), caller="somebody") == {}
