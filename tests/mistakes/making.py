"""The mistakes themselves: what is sent for each, by its name in mistakes.toml, to a service that would have answered a good request."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from argon2 import PasswordHasher

from cambist import Deny, Permit, PolicyInput
from cambist.client_assertion import JWT_BEARER
from cambist.policy import Answer
from cambist.testing import ISSUER, DeafHttp, Forge, MovableClock, Running, Scripted, open_sts
from cambist.testing.forge import ABSENT
from cambist.token_type import ACCESS_TOKEN, IETF, JWT
from cambist.zone import TOKEN_EXCHANGE

API, OTHER = "https://api.example.test", "https://billing.example.test"
ENDPOINTS = {"form": "/oauth/2/token", "json": "/v1/exchange/token"}
KINDS = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
SECRET = "right"
REPOSITORY = "repo:acme/shop:ref:refs/heads/main"
CLOCK = MovableClock()
FORGE = Forge("https://issuer.example.test", ISSUER, CLOCK)
FAR = Forge("https://far.example.test", ISSUER, CLOCK)
ROBOT = Forge("robot", ISSUER, CLOCK)


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One request: the members that are wrong, or what surrounds them."""

    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    end: str = ""
    """What follows the path of the endpoint."""
    body: Callable[[bytes], bytes] = bytes
    times: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How the service is set up otherwise than usual."""


def good() -> dict[str, Any]:
    return {"grant_type": TOKEN_EXCHANGE, "subject_token": _token(), "subject_token_type": JWT, "audience": API, "scope": "read"}


def _token(header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    return FORGE.jwt(header, **{"sub": REPOSITORY, **claims})


def _now() -> int:
    return int(CLOCK())


def _sent(**claims: Any) -> Mistake:
    return Mistake(members={"subject_token": _token(**claims)})


def _with(**members: Any) -> Mistake:
    return Mistake(members=members)


def _basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def _elsewhere() -> str:
    """Signed by another installation that calls itself, and its key, the same."""
    return Forge(FORGE.issuer, ISSUER, CLOCK).jwt(sub=REPOSITORY)


MADE: Mapping[str, Callable[[], Mistake]] = {
    "audience-of-another-service": lambda: _sent(aud="https://sts.amazonaws.com"),
    "no-audience": lambda: _sent(aud=ABSENT),
    "audience-spelled-otherwise": lambda: _sent(aud="https://STS.example.test/"),
    "issuer-with-a-slash": lambda: _sent(iss=f"{FORGE.issuer}/"),
    "issuer-not-listed": lambda: _sent(iss="https://gitlab.example.test"),
    "token-kept-too-long": lambda: _sent(iat=_now() - 604, exp=_now() - 4),
    "clock-ahead": lambda: _sent(iat=_now() + 90, exp=_now() + 690),
    "token-in-quotes": lambda: _with(subject_token=f'"{_token()}"'),
    "token-cut-off": lambda: _with(subject_token=_token().rpartition(".")[0]),
    "token-of-another-installation": lambda: _with(subject_token=_elsewhere()),
    "keys-rotated": lambda: _with(subject_token=_token({"kid": "2026-11"})),
    "algorithm-not-listed": lambda: _with(subject_token=_token({"alg": "ES384"})),
    "token-too-large": lambda: _sent(groups=[f"group-{n}" for n in range(2_000)]),
    "bound-token-alone": lambda: _sent(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "subject-in-a-new-format": lambda: _sent(sub="repo:acme@123/shop@456:ref:refs/heads/main"),
    "subject-in-other-case": lambda: _sent(sub="repo:Acme/shop:ref:refs/heads/main"),
    "target-not-granted": lambda: _with(audience=OTHER),
    "target-without-scheme": lambda: _with(audience="api.example.test"),
    "no-target": lambda: _with(audience=None),
    "scopes-with-commas": lambda: _with(scope="read,write"),
    "scope-not-granted": lambda: _with(scope="admin"),
    "scope-with-two-spaces": lambda: _with(scope="read  write"),
    "lifetime-too-long": lambda: _with(ttl_seconds=86_400),
    "wrong-secret": lambda: Mistake(headers=_basic("shop", "wrong")),
    "nobody-calls": lambda: _with(subject_token_type=ACCESS_TOKEN),
    "assertion-sent-again": lambda: Mistake(members=_assertion(), times=2),
    "assertion-for-the-endpoint": lambda: _with(**_assertion(aud=f"{ISSUER}/oauth/2/token")),
    "grant-not-allowed": lambda: Mistake(
        members={"grant_type": "client_credentials", "subject_token": None, "subject_token_type": None}, headers=_basic("shop", SECRET)
    ),
    "grant-mistyped": lambda: _with(grant_type="token-exchange"),
    "no-token": lambda: _with(subject_token=""),
    "no-token-type": lambda: _with(subject_token_type=None),
    "type-mistyped": lambda: _with(subject_token_type="jwt"),
    "type-not-enabled": lambda: _with(subject_token_type=f"{IETF}saml2"),
    "another-media-type": lambda: Mistake(headers={"content-type": "text/plain"}),
    "parameters-in-the-url": lambda: Mistake(end="?audience=https%3A%2F%2Fapi.example.test"),
    "body-cut-off": lambda: Mistake(body=lambda body: body[:-1] + b"%"),
    "opened-in-a-browser": lambda: Mistake(method="GET"),
    "actor-is-another": lambda: _with(actor_token=FORGE.jwt(sub="agent-7"), actor_token_type=JWT),
    "zone-mistyped": lambda: _with(zone_id="prod"),
    "issuer-out-of-reach": lambda: _with(subject_token=FAR.jwt(sub=REPOSITORY)),
    "token-for-each-call": lambda: Mistake(times=2, settings={"listen": {"limits": {"address_rate": 0.5, "address_burst": 1}}}),
}


def _assertion(**claims: Any) -> dict[str, str]:
    told = {"iss": "robot", "sub": "robot", "iat": _now(), "exp": _now() + 60, **claims}
    return {"client_assertion_type": JWT_BEARER, "client_assertion": ROBOT.jwt(**told)}


def _decides(question: PolicyInput) -> Answer:
    """One repository, from its main branch, may read and write at the API."""
    if question.subject.identity.subject != REPOSITORY:
        return Deny(reasons=("no rule for this subject",))
    if refused := tuple(target.id for target in question.targets if target.id != API):
        return Deny(reasons=("not granted",), targets=refused)
    return Permit(scope=frozenset({"read", "write"}))


@asynccontextmanager
async def staged(**more: Any) -> AsyncIterator[Running]:
    """A service at which the good request is answered with a token."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET)
    settings: dict[str, Any] = {
        "authenticates": [JWT],
        "resources": {API: {}},
        "applications": {"shop": {"secret_hash": hashed}, "robot": {"jwks": ROBOT.jwks}},
        "plugins": {"jwt": {"issuers": [_trusted(FORGE), {"issuer": FAR.issuer, "jwks_url": f"{FAR.issuer}/jwks.json"}]}},
        **more,
    }
    async with open_sts(settings, modules={"scripted": Scripted(_decides)}, clock=CLOCK, transport=DeafHttp()) as running:
        yield running


def _trusted(forge: Forge) -> dict[str, Any]:
    return {"issuer": forge.issuer, "jwks": forge.jwks, "algorithms": ["ES256"]}


async def answered(running: Running, dialect: str, mistake: Mistake) -> httpx.Response:
    """What comes of it, the last time that it is sent."""
    members = {name: value for name, value in (good() | dict(mistake.members)).items() if value is not None}
    content = (urlencode(members) if dialect == "form" else json.dumps(members)).encode()
    headers = {"content-type": KINDS[dialect], **mistake.headers}
    path = ENDPOINTS[dialect] + mistake.end
    for _ in range(mistake.times - 1):
        assert (await running.http.request(mistake.method, path, content=content, headers=headers)).status_code == 200
    return await running.http.request(mistake.method, path, content=mistake.body(content), headers=headers)
