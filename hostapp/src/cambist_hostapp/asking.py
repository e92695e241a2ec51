"""Asking a running service for a token, as any client would."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import httpx

from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is asked of the form or of the JSON endpoint."""

    url: str
    token: str = field(repr=False)
    token_type: str = JWT
    audience: Sequence[str] = ()
    resource: Sequence[str] = ()
    scope: str | None = None
    actor: str | None = field(default=None, repr=False)
    zone: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    def parameters(self) -> dict[str, Any]:
        single = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": self.token,
            "subject_token_type": self.token_type,
            "scope": self.scope,
            "zone_id": self.zone,
            "actor_token": self.actor,
            "actor_token_type": JWT if self.actor else None,
        }
        return {name: value for name, value in single.items() if value is not None}

    def headers(self) -> Mapping[str, str]:
        if self.client_id is None:
            return {}
        # RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret or '')}"
        return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def by_form(ask: Ask, http: httpx.Client) -> httpx.Response:
    data = {**ask.parameters(), "audience": list(ask.audience), "resource": list(ask.resource)}
    return http.post(f"{ask.url}/oauth/2/token", data=data, headers=dict(ask.headers()))


def by_json(ask: Ask, http: httpx.Client) -> httpx.Response:
    audience = list(ask.audience)
    wanted = {"audience": audience[0] if len(audience) == 1 else audience} if audience else {}
    return http.post(f"{ask.url}/v1/exchange/token", json={**ask.parameters(), **wanted}, headers=dict(ask.headers()))
