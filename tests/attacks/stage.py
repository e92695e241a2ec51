"""The ground on which one set plays: a folder, published keys, a frozen clock, and the settings that all sets share."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cambist.client_assertion import JWT_BEARER
from cambist.testing import Forge, MovableClock
from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE

from .canaries import Canaries
from .publisher import Publisher
from .wire import Request

HERE = "https://sts.example.test"
ISSUER = "https://issuer.example.test"
AUD, DENIED = "https://api.example.test", "https://denied.example.test"
CLIENT = "attacker-1"
FORM_PATH, JSON_PATH = "/oauth/2/token", "/v1/exchange/token"
LEDGER = "ledger"
CREDENTIALS = ("subject_token", "actor_token", "client_assertion", "client_secret")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a set may lean on. `configured` are further places that the service may call, as the witness writes them."""

    folder: Path
    at: float
    publisher: Publisher
    canaries: Canaries = field(default_factory=Canaries)
    configured: set[str] = field(default_factory=set)

    def forge(self, issuer: str = ISSUER, audience: str = HERE) -> Forge:
        return Forge(issuer, audience, MovableClock(self.at))

    def trusted(self, forge: Forge) -> dict[str, Any]:
        """A forge as an issuer that the operator trusts, delegations and all."""
        return {"issuer": forge.issuer, "jwks_url": self.publisher.publish(forge.jwks), "delegation": True}

    def settings(self, issuers: Iterable[Mapping[str, Any]], *, here: str = HERE, **more: Any) -> dict[str, Any]:
        """A service with the embedded defaults. Decision 30: in these harnesses a JWT authenticates the caller."""
        trusted = list(issuers)
        kek = secrets.token_hex(32)
        self.canaries.keep(kek)
        return {
            "issuer": here,
            "authenticates": [JWT],
            "plugins": {
                "jwt": {"issuers": trusted},
                "opa-wasm": {"data": str(self.granted([entry["issuer"] for entry in trusted], here))},
                "keys-file": {"directory": str(self.folder / "keys"), "kek": kek},
                "sqlite": {"path": str(self.folder / "cambist.sqlite")},
                "audit-log": {"directory": str(self.folder / LEDGER), "kek": kek, "sample": 10_000},
            },
            **more,
        }

    def granted(self, issuers: Iterable[str], here: str) -> Path:
        """Everybody may have any scope at AUD, act for everybody of the same issuer, and be asked for; nobody may have DENIED."""
        targets = {AUD: {"scopes": ["*"]}}
        issuers = list(issuers)
        grants = {issuer: {"*": targets} for issuer in (*issuers, here)}
        actors: Any = {issuer: {"*": {issuer: {"*": {}}}} for issuer in issuers}
        clients: Any = {"*": {issuer: {"*": {}} for issuer in issuers}}
        file = self.folder / "grants.json"
        file.write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants, "actors": actors, "clients": clients}}}}), "utf-8")
        return file


def exchange(token: str, **more: str) -> Request:
    """A plain exchange of a subject token by form."""
    return form([("grant_type", TOKEN_EXCHANGE), ("subject_token", token), ("subject_token_type", JWT), ("audience", AUD), *more.items()])


def form(pairs: Iterable[tuple[str, str]], **more: Any) -> Request:
    listed = list(pairs)
    kept = tuple(value for name, value in listed if name in CREDENTIALS)
    return Request(path=FORM_PATH, body=urlencode(listed, errors="surrogatepass").encode(), secrets=kept, **more)


def document(members: Mapping[str, Any], **more: Any) -> Request:
    """A request of the JSON dialect."""
    kept = tuple(value for name, value in members.items() if name in CREDENTIALS and isinstance(value, str))
    headers = [("content-type", "application/json"), *more.pop("headers", ())]
    return Request(path=JSON_PATH, headers=headers, body=json.dumps(members).encode(), secrets=kept, **more)


def application(forge: Forge) -> dict[str, Any]:
    """A forge as an application that proves itself by assertions, and may do all that one may."""
    return {"jwks": forge.jwks, "algorithms": [forge.algorithm], "default_target": AUD, "grants": ["client_credentials", TOKEN_EXCHANGE]}


def asserted(forge: Forge) -> str:
    """A fresh client assertion."""
    return forge.jwt(sub=forge.issuer, exp=int(forge.clock()) + 60)


__all__ = ["JWT_BEARER", "Stage", "application", "asserted", "document", "exchange", "form"]
