"""Rotation under load, over HTTP, with verifiers that keep the published keys for as long as they may: no token is ever unknown to them.

A few seconds in a run of all tests; `CAMBIST_SOAK=120 pytest -s plugins/keys-file/tests/test_keys_file_soak.py` takes as many seconds,
and prints its figures.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cambist.keys import Horizon
from cambist.testing import Forge
from cambist.testing.serving import serve
from cambist_keys_file.testing import KEK, kept

pytestmark = [pytest.mark.row("P-keys-file"), pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("CAMBIST_SOAK", "8"))
EVERY = 5.0
"""A rotation each so many seconds."""
HORIZON = Horizon(max_age=1, lifetime=60)
SKEW = 2.0
LOADERS, VERIFIERS = 3, 3
ISSUER, TARGET = "https://sts.example.test", "https://orders.example.test"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass
class Seen:
    """What came of it."""

    rotations: int = 0
    tokens: int = 0
    verified: int = 0
    fetched: Counter[int] = field(default_factory=Counter)
    signed: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def told(self) -> str:
        return (
            f"{SECONDS:g} s: {self.rotations} rotations, {len(self.signed)} keys signed {self.tokens} tokens, "
            f"{self.verified} verifications, key sets fetched: {self.fetched[200]} and {self.fetched[304]} unchanged, "
            f"failed: {len(self.failed)}"
        )


@dataclass
class Verifier:
    """A stock JOSE library behind a cache as RFC 9111 has it: an answer's age counts from before it was asked for (section 4.2.3)."""

    http: httpx.AsyncClient
    seen: Seen
    keys: KeySet | None = None
    tag: str = ""
    until: float = 0.0

    async def verify(self, token: str) -> None:
        """Never asks again for a key that it does not know."""
        if time.monotonic() >= self.until:
            await self._fetch()
        assert self.keys is not None
        try:
            jwt.decode(token, self.keys, algorithms=["ES256"])
            self.seen.verified += 1
        except (JoseError, ValueError) as error:
            self.seen.failed.append(f"{type(error).__name__}: {error}")

    async def _fetch(self) -> None:
        began = time.monotonic()
        answer = await self.http.get("/.well-known/jwks.json", headers={"if-none-match": self.tag} if self.tag else {})
        self.seen.fetched[answer.status_code] += 1
        directives = dict(part.strip().partition("=")[::2] for part in answer.headers["cache-control"].split(","))
        self.until, self.tag = began + float(directives["max-age"]), answer.headers["etag"]
        if answer.status_code == 200:
            self.keys = KeySet.import_key_set(answer.json())


def settings(folder: Path, forge: Forge) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "authenticates": [JWT_TYPE],
        "resources": {TARGET: {}},
        "jwks_max_age": int(HORIZON.max_age),
        "ttl": int(HORIZON.lifetime),
        "max_ttl": int(HORIZON.lifetime),
        "plugins": {
            "keys-file": {"directory": str(folder / "keys"), "kek": KEK, "skew": SKEW},
            "sqlite": {"path": str(folder / "store.sqlite")},
            "jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]},
        },
    }


def kid_of(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


async def load(http: httpx.AsyncClient, forge: Forge, verifiers: list[Verifier], seen: Seen, until: float) -> None:
    """Exchange, and have each token verified by all at once, and again when it has lived for a while."""
    held: list[tuple[float, str]] = []
    while (now := time.monotonic()) < until:
        body = {"grant_type": GRANT, "subject_token": forge.jwt(), "subject_token_type": JWT_TYPE, "audience": TARGET}
        answer = await http.post("/v1/exchange/token", json=body)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        seen.tokens += 1
        seen.signed[kid_of(token)] += 1
        held.append((now + 0.8 * HORIZON.lifetime, token))
        await asyncio.gather(*(verifier.verify(token) for verifier in verifiers))
        due = [text for when, text in held if when <= now]
        held = held[-2_000:] if not due else [(when, text) for when, text in held if when > now]
        for text in due:
            await verifiers[0].verify(text)


async def rotate(folder: Path, seen: Seen, until: float) -> None:
    """Two processes of an administrator at once, beside the two workers."""
    stores = [kept(folder, time.time, HORIZON, skew=SKEW) for _ in range(2)]
    while time.monotonic() < until:
        done = await asyncio.gather(*(store.rotate("default") for store in stores))
        assert [rotation.rotated for rotation in done].count(True) == 1
        seen.rotations += 1
        await asyncio.sleep(EVERY)


async def soak(url: str, folder: Path, forge: Forge) -> Seen:
    seen, until = Seen(), time.monotonic() + SECONDS
    limits = httpx.Limits(max_keepalive_connections=0)  # each connection may meet another worker
    async with httpx.AsyncClient(base_url=url, trust_env=False, limits=limits, timeout=30) as http, asyncio.TaskGroup() as group:
        await http.get("/.well-known/jwks.json")
        rotating = group.create_task(rotate(folder, seen, until))
        loading = [
            group.create_task(load(http, forge, [Verifier(http, seen) for _ in range(VERIFIERS)], seen, until)) for _ in range(LOADERS)
        ]
        await asyncio.wait(loading)
        rotating.cancel()
    return seen


async def test_no_verifier_meets_a_key_that_it_cannot_know(tmp_path: Path) -> None:
    forge = Forge("https://idp.example.test", ISSUER, time.time)
    with serve(settings(tmp_path, forge), workers=2, modules={"allow": "cambist.testing:AllowAll"}) as service:
        seen = await soak(service.url, tmp_path, forge)
    print(f"\n{seen.told()}")  # noqa: T201  # the figures are what the long form is run for
    assert seen.failed == []
    assert seen.rotations >= SECONDS // EVERY
    assert len(seen.signed) >= 1 + SECONDS // (EVERY + 1), "keys took over while it ran"
    assert min(seen.tokens, seen.fetched[200], seen.fetched[304]) > 0
    assert seen.verified >= seen.tokens * VERIFIERS
