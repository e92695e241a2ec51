"""The attacks on JWTs of the corpus, in process: what is refused over HTTP is refused by the one place that verifies."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from cambist import Credential, Expected, Proven, Unverified
from cambist.credential import NOTHING, Role
from cambist.egress import Egress, EgressSettings
from cambist.errors import PluginFault, Refusal
from cambist.guard import Guard
from cambist.jwks import InlineKeys
from cambist.jwts import Jwts
from cambist.token_type import JWT
from cambist.validator import Seated, Takers

CASES = Path(os.environ.get("CAMBIST_CORPORA") or Path(__file__).parents[3] / "shared" / "corpora") / "jose-attacks" / "cases.json"

pytestmark = pytest.mark.skipif(not CASES.is_file(), reason="the corpora are not at hand")


class Listed:
    """Judges JWTs of the issuers of the corpus, as any plugin for them would."""

    token_types = frozenset({JWT})

    def __init__(self, context: dict[str, Any], jwts: Jwts) -> None:
        self._jwts = jwts
        self._expected = {
            name: Expected(
                issuer=name,
                keys=jwts.stated(name, InlineKeys(entry["jwks"], entry["algs"])),
                algorithms=frozenset(entry["algs"]),
                leeway=context["clock_leeway_s"],
                max_lifetime=context["max_token_lifetime_s"],
            )
            for name, entry in context["issuers"].items()
        }
        self.issuers = frozenset(self._expected)

    def recognizes(self, unverified: Unverified) -> bool:
        return unverified.issuer in self.issuers

    async def validate(self, credential: Credential) -> Proven:
        return (await self._jwts.verify(credential.token, self._expected)).proven()


@pytest.mark.parametrize("tried", [False, True])
async def test_every_attack_is_refused_every_control_is_believed_and_nobody_is_called(tried: bool) -> None:
    """Also where keys are read when they are first needed, as in a worker."""
    corpus: dict[str, Any] = json.loads(CASES.read_text("utf-8"))
    context, called = corpus["context"], []

    def nobody(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return httpx.Response(404)

    decided: Counter[str] = Counter()
    async with Egress(EgressSettings(), httpx.MockTransport(nobody)) as http:
        seat = Takers.of([Seated("listed", Listed(context, Jwts(http, lambda: corpus["at"], tried=tried)))])
        audiences = frozenset({context["audience"]})
        guard = Guard(takers={Role.SUBJECT: seat}, audiences=audiences, max_token=context["max_token_bytes"], clock=lambda: corpus["at"])
        for case in corpus["cases"]:
            if case["input"]["profile"] != "oidc":
                continue  # judged by the plugin for SVIDs
            began = time.perf_counter()
            accepted = await believed(guard, case["input"]["token"])
            assert time.perf_counter() - began < 1, case["id"]
            if case["expect"] != "either":
                assert accepted == (case["expect"] == "accept"), (case["id"], case["why"])
                decided[case["expect"]] += 1
    assert called == []
    assert min(decided["accept"], decided["refuse"]) > 5


async def believed(guard: Guard, token: str) -> bool:
    try:
        await guard.prove(Credential(token=token, token_type=JWT, role=Role.SUBJECT), NOTHING)
    except PluginFault:
        raise
    except Refusal:
        return False
    return True
